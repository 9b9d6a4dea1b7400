import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { expect, test } from '@jest/globals'
import { createCorrelator, memoryStore } from '../src/index.js'
import { mandrillWebhook } from '../src/providers/mandrill/index.js'
import { sendgridWebhook } from '../src/providers/sendgrid/index.js'
import { startEndpoint } from './endpoint.js'
import { collectTold } from './told-events.js'

const keys = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
const publicKey = keys.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
const url = 'https://hooks.example.com/mandrill'

const seconds = '1760000000'

/** How each provider posts entries. */
const posts: Record<string, (entries: string[]) => RequestInit> = {
  sendgrid(entries) {
    const body = `[${entries.join(',\r\n')}]\r\n`
    return {
      body,
      headers: {
        'content-type': 'application/json;charset=utf-8',
        'x-twilio-email-event-webhook-timestamp': seconds,
        'x-twilio-email-event-webhook-signature': sign(
          'sha256',
          Buffer.from(seconds + body),
          keys.privateKey,
        ).toString('base64'),
      },
    }
  },
  mandrill(entries) {
    const json = `[${entries.join(',')}]`
    return {
      body: new URLSearchParams({ mandrill_events: json }),
      headers: {
        'x-mandrill-signature': createHmac('sha1', 'key')
          .update(`${url}mandrill_events${json}`)
          .digest('base64'),
      },
    }
  },
}

const entryOf: Record<string, (index: number) => object> = {
  sendgrid: (index) => ({
    event: 'delivered',
    email: `ann+${index}@example.com`,
    timestamp: 1_760_000_000,
    sg_event_id: `event-${index}`,
    sg_message_id: `Zk3vQm0pT6-xYc1hR_8LdA.recvd-7c9d8f6b54-q2w8x-1-68A1B2C3-7.${index}`,
  }),
  mandrill: (index) => ({
    event: 'delivered',
    _id: `message-${index}`,
    ts: 1_760_000_000,
    msg: { _id: `message-${index}`, email: `ann+${index}@example.com` },
  }),
}

test.each(['sendgrid', 'mandrill'])(
  'of 1,000 events of %s with an unreadable one in the middle 999 are told, and that one with its error',
  async (provider) => {
    const correlator = createCorrelator({
      store: memoryStore(),
      foreignAfter: 0,
      webhooks: [sendgridWebhook({ publicKey }), mandrillWebhook({ key: 'key', url })],
    })
    const endpoint = await startEndpoint(correlator.nodeHandler)
    const told = collectTold(correlator)
    const entries = Array.from({ length: 1000 }, (_, index) =>
      JSON.stringify(entryOf[provider]?.(index)),
    )
    // Nested without end, which none of them does.
    entries[500] = `{"event":"delivered","x":${'['.repeat(5000)}${']'.repeat(5000)}}`
    const response = await fetch(`${endpoint.url}/${provider}`, {
      method: 'POST',
      ...posts[provider]?.(entries),
    })
    expect(response.status).toBe(200)
    await correlator.drain()
    const types = told.map(({ event }) => event.type)
    expect(types.filter((type) => type === 'delivered')).toHaveLength(999)
    expect(told.filter(({ event }) => event.type === 'unknown')).toMatchObject([
      { event: { error: 'it is nested too deeply' } },
    ])
    expect(new Set(told.map(({ event }) => event.id)).size).toBe(1000)
    await endpoint.close()
    await correlator.close()
  },
)
