import { describe, expect, test } from '@jest/globals'
import { guardWebhook, querySecret, type VerifiedHandler, type WebhookError } from '../src/index.js'
import { startEndpoint } from './endpoint.js'
import { outsideWebhook, postEntries, secret } from './outside-provider.js'

const delivered = { type: 'delivered', at: 1_760_000_000, to: 'ann@example.com' } as const

/** A handler of one's own behind a socket, and what it was refused. */
async function start(handle: VerifiedHandler, guards = [querySecret('s')]) {
  const refused: WebhookError[] = []
  const { nodeHandler } = guardWebhook(outsideWebhook({ guards }), handle, {
    onRefused: (refusal) => void refused.push(refusal),
  })
  const endpoint = await startEndpoint(nodeHandler)
  return {
    url: `${endpoint.url}/any/path/at/all`,
    refused,
    reasons: () => refused.map(({ reason }) => reason),
    [Symbol.asyncDispose]: endpoint.close,
  }
}

describe('a handler of one’s own', () => {
  test.each<[string, (seen: unknown[]) => VerifiedHandler]>([
    ['synchronous', (seen) => (_request, events) => void seen.push(...events)],
    [
      'asynchronous',
      (seen) => async (_request, events) => {
        await Promise.resolve()
        seen.push(...events)
      },
    ],
  ])('that is %s is called for verified requests alone', async (_, make) => {
    const seen: unknown[] = []
    await using started = await start(make(seen))
    const { url } = started
    expect((await postEntries(url, [delivered])).status).toBe(403)
    expect((await postEntries(`${url}?secret=s`, [delivered], {})).status).toBe(418)
    expect(seen).toEqual([])
    expect((await postEntries(`${url}?secret=s`, [delivered])).status).toBe(202)
    expect(seen).toEqual([expect.objectContaining({ type: 'delivered' })])
    expect(started.reasons()).toEqual(['wrong-secret', 'bad-signature'])
  })

  test('has the request, with its raw body', async () => {
    const bodies: unknown[] = []
    await using started = await start((request) => {
      bodies.push([request.method, request.header('x-secret'), request.body.toString()])
    })
    await postEntries(`${started.url}?secret=s`, [delivered])
    expect(bodies).toEqual([['POST', secret['x-secret'], JSON.stringify([delivered])]])
  })

  test.each<[string, VerifiedHandler]>([
    [
      'throws',
      () => {
        throw new Error('the queue is full')
      },
    ],
    ['rejects', () => Promise.reject(new Error('the queue is full'))],
  ])('that %s lets the provider come again, and is told of', async (_, handle) => {
    await using started = await start(handle)
    const response = await postEntries(`${started.url}?secret=s`, [delivered])
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '30'])
    expect(await response.text()).not.toContain('queue')
    expect(started.refused.map(({ message }) => message)).toEqual([
      'outside: webhook refused: the queue is full',
    ])
  })

  test('is not called again for a token with other content, and is for an honest retry', async () => {
    const types: string[] = []
    await using started = await start((_request, events) => {
      types.push(...events.map(({ type }) => type))
    })
    const post = async (entry: object) =>
      (await postEntries(`${started.url}?secret=s`, [{ ...delivered, token: 't-1', ...entry }]))
        .status
    expect([await post({}), await post({}), await post({ type: 'complained' })]).toEqual([
      202, 202, 418,
    ])
    expect(types).toEqual(['delivered', 'delivered'])
    expect(started.reasons()).toEqual(['replayed'])
  })

  test('takes inbound mail where a webhook has a place for it, with the guards of that', async () => {
    const types: string[] = []
    const inbound = outsideWebhook({ guards: [querySecret('mail')] })
    const { handler } = guardWebhook(
      outsideWebhook({ inbound }),
      (_request, [event]) => {
        types.push(event?.type ?? '')
      },
      { onRefused: () => {} },
    )
    const post = async (path: string) => {
      const init = { method: 'POST', headers: secret, body: JSON.stringify([delivered]) }
      return (await handler(new Request(`https://example.com${path}`, init))).status
    }
    expect(await post('/any/outside/inbound')).toBe(403)
    expect(await post('/any/outside/inbound?secret=mail')).toBe(202)
    expect(await post('/any/outside')).toBe(202)
    expect(types).toEqual(['delivered', 'delivered'])
  })

  test('serves fetch requests too', async () => {
    const types: string[] = []
    const { handler } = guardWebhook(outsideWebhook(), (_request, [event]) => {
      types.push(event?.type ?? '')
    })
    const response = await handler(
      new Request('https://example.com/x', {
        method: 'POST',
        headers: secret,
        body: JSON.stringify([delivered]),
      }),
    )
    expect([response.status, types]).toEqual([202, ['delivered']])
  })
})
