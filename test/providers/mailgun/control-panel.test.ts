import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { createCorrelator, memoryStore } from '../../../src/index.js'
import { mailgunWebhook } from '../../../src/providers/mailgun/index.js'
import { sign } from '../../../src/providers/mailgun/signature.js'
import { collectErrors, collectTold, type Told } from '../../told-events.js'
import { signingKey } from './reading.js'

// What the button "Test webhook" posts: signed now, about a message that nobody sent in 2013.
const visit = { id: 'Ase7i2zsRYeDXztHGENqRA', local: '20130503182626.18666.16540' }
const posts = [
  { event: 'delivered', id: 'CPgfbmQMTCKtHW6uIWtuVe', local: '20130503182626.18666.16540' },
  { event: 'opened', ...visit },
  { event: 'clicked', ...visit },
  { event: 'unsubscribed', ...visit },
  {
    event: 'failed',
    severity: 'permanent',
    status: { code: 605 },
    id: 'G9Bn5sl1TC6nu79C8C0bwg',
    local: '20130503192659.13651.20287',
  },
  {
    event: 'failed',
    severity: 'temporary',
    status: { code: 451 },
    id: 'Fs7-5t81S2ispqxqDw2U4Q',
    local: '20130503182626.18666.16540',
  },
  { event: 'complained', id: '-Agny091SquKnsrW2NEKUA', local: '20110215055645.25246.63817' },
].map(({ local, status, ...event }) => ({
  ...event,
  timestamp: 1521243339.873676,
  'log-level': 'info',
  recipient: 'alice@example.com',
  message: { headers: { 'message-id': `${local}@mg.example.com` } },
  tags: ['my_tag_1', 'my_tag_2'],
  'user-variables': { my_var_1: 'Mailgun Variable #1', 'my-var-2': 'awesome' },
  flags: { 'is-system-test': false, 'is-test-mode': false },
  'delivery-status': { message: null, description: 'Not delivering', tls: null, ...status },
}))

let correlator: ReturnType<typeof createCorrelator>
let told: Told[]
let errors: string[]

beforeEach(() => {
  const webhooks = [mailgunWebhook({ signingKey, maxAge: 60 * 60_000 })]
  correlator = createCorrelator({ store: memoryStore(), webhooks, foreignAfter: 0 })
  told = collectTold(correlator)
  errors = collectErrors(correlator)
})
afterEach(() => correlator.close())

let pressed = 0

/** Each press of the button has a signature of its own. */
async function press(eventData: object): Promise<number> {
  const timestamp = String(Math.floor(Date.now() / 1000))
  const token = `token-${(pressed += 1)}`
  const signature = { timestamp, token, signature: sign(signingKey, timestamp, token) }
  const request = new Request('https://example.com/mailgun', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ signature, 'event-data': eventData }),
  })
  return (await correlator.handler(request)).status
}

test('every test post of the control panel is an event of its own, though three share an id and a time', async () => {
  for (const post of posts) expect(await press(post)).toBe(200)
  await correlator.drain()
  expect(told.map(({ event }) => [event.type, event.recipient])).toEqual([
    ['delivered', 'alice@example.com'],
    ['opened', 'alice@example.com'],
    ['clicked', 'alice@example.com'],
    ['unsubscribed', 'alice@example.com'],
    ['rejected', 'alice@example.com'],
    ['deferred', 'alice@example.com'],
    ['complained', 'alice@example.com'],
  ])
  expect(new Set(told.map(({ event }) => event.id)).size).toBe(7)
  expect(errors).toEqual([])
})

test('the same test post twice is one event', async () => {
  for (const post of posts.slice(0, 2)) {
    expect([await press(post), await press(post)]).toEqual([200, 200])
  }
  await correlator.drain()
  expect(told).toHaveLength(2)
})
