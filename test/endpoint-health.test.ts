import { describe, expect, test } from '@jest/globals'
import { createCorrelator, memoryStore, type Store } from '../src/index.js'
import { outsideWebhook, secret } from './outside-provider.js'

const minutesAgo = (minutes: number): number => Math.floor(Date.now() / 1000) - minutes * 60

function start(store: Store = memoryStore(), foreignAfter = 0) {
  const correlator = createCorrelator({
    store,
    foreignAfter,
    webhooks: [outsideWebhook(), outsideWebhook({ name: 'outside-eu' })],
  })
  correlator.onError(() => {})
  const ask = (body: unknown, headers: Record<string, string> = secret, path = 'outside') =>
    correlator.handler(
      new Request(`https://example.com/${path}`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
      }),
    )
  return { correlator, ask }
}

describe('the health of an endpoint', () => {
  test('counts requests by webhook and outcome', async () => {
    const { correlator, ask } = start()
    await ask([])
    await ask([])
    await ask([], {})
    await ask({ no: 'list' })
    await ask([], secret, 'outside-eu')
    await correlator.handler(new Request('https://example.com/outside'))
    await correlator.handler(new Request('https://example.com/elsewhere'))
    const { webhooks, since } = correlator.health()
    expect(
      webhooks.map(({ webhook, provider, requests }) => [webhook, provider, requests]),
    ).toEqual([
      ['outside', 'outside', { stored: 2, 'bad-signature': 1, malformed: 1, tried: 1 }],
      ['outside-eu', 'outside', { stored: 1 }],
    ])
    expect(Date.now() - since.getTime()).toBeLessThan(60_000)
    await correlator.close()
  })

  test('counts events, duplicates and what could not be read', async () => {
    const { correlator, ask } = start()
    const entry = { type: 'delivered', at: minutesAgo(1), to: 'ann@example.com', message: 'm' }
    await ask([entry, { ...entry, to: 'bob@example.com' }, { type: 'exploded' }])
    await ask([entry])
    expect(correlator.health().webhooks[0]).toMatchObject({ events: 4, duplicates: 1, unknown: 1 })
    await correlator.close()
  })

  test('measures how long new events took to come, and not how long old ones are tried', async () => {
    const { correlator, ask } = start()
    expect(correlator.health().webhooks[0]?.lag).toBeUndefined()
    const early = { type: 'delivered', at: minutesAgo(10), to: 'ann@example.com', message: 'm' }
    await ask([early])
    await ask([{ ...early, type: 'opened', at: minutesAgo(2) }])
    await ask([early])
    // A clock ahead of ours.
    await ask([{ ...early, type: 'complained', at: minutesAgo(-1) }])
    const { lag, lastStoredAt } = correlator.health().webhooks[0] ?? {}
    expect(Math.round((lag?.longest ?? 0) / 60_000)).toBe(10)
    expect(Math.round((lag?.mean ?? 0) / 60_000)).toBe(4)
    expect(lag?.last).toBe(0)
    expect(Date.now() - (lastStoredAt?.getTime() ?? 0)).toBeLessThan(60_000)
    await correlator.close()
  })

  test('counts events told as foreign, each once', async () => {
    const { correlator, ask } = start()
    let failures = 2
    correlator.onAny(() => {
      failures -= 1
      if (failures >= 0) throw new Error('no')
    })
    await correlator.record({ provider: 'outside', providerMessageId: 'm', recipients: ['a@b.c'] })
    await ask([
      { type: 'delivered', at: minutesAgo(1), to: 'a@b.c', message: 'm' },
      { type: 'delivered', at: minutesAgo(1), to: 'a@b.c', message: 'of another' },
    ])
    await correlator.drain()
    expect(correlator.health().foreign).toEqual({ outside: 1 })
    await correlator.close()
  })

  test('counts what could not be committed', async () => {
    const store: Store = { ...memoryStore(), ingest: () => Promise.reject(new Error('disk full')) }
    const { correlator, ask } = start(store)
    expect((await ask([])).status).toBe(503)
    expect(correlator.health().webhooks[0]).toMatchObject({ requests: { failed: 1 }, events: 0 })
    await correlator.close()
  })
})
