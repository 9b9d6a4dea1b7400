import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createCorrelator, type Correlator, memoryStore } from '../../src/index.js'
import { mailgunSimulator, mailgunWebhook } from '../../src/providers/mailgun/index.js'
import { signedRequests, simulatedMessage } from '../../src/testing/index.js'
import { mailMatchers } from '../../src/testing/jest.js'
import type { SimulatedEvent } from '../../src/simulator.js'

expect.extend(mailMatchers)

const ann = 'ann@example.com'
const bob = 'bob@example.com'
const simulator = mailgunSimulator({ apiKey: 'key', domain: 'mg.example.com' })

let correlator: Correlator
let trackingId: string

beforeEach(async () => {
  correlator = createCorrelator({
    store: memoryStore(),
    webhooks: [mailgunWebhook({ signingKey: simulator.signingKey })],
  })
  trackingId = await record('Confirm your address', ann, bob)
})
afterEach(() => correlator.close())

function record(subject: string, ...recipients: string[]): Promise<string> {
  const labels = { tags: ['t'], metadata: { user: '42' } }
  const providerMessageId = `${subject} to ${recipients.join()}`
  return correlator.record({
    provider: 'mailgun',
    providerMessageId,
    recipients,
    subject,
    ...labels,
  })
}

async function tell(...events: SimulatedEvent[]): Promise<void> {
  for (const request of signedRequests(simulator, simulatedMessage({ trackingId }), events)) {
    const url = 'https://app.test/mailgun'
    const init = { method: 'POST', headers: request.headers, body: request.body }
    expect((await correlator.handler(new Request(url, init))).status).toBe(200)
  }
}

/** What it fails with. */
const failure = (matching: Promise<void>): Promise<string> =>
  matching.then(
    () => 'it passed',
    ({ message }: Error) => message,
  )

const soon = { timeout: 30 }

const typeOf = {
  toHaveBeenDelivered: 'delivered',
  toHaveBeenDeferred: 'deferred',
  toHaveBounced: 'bounced',
  toHaveBeenRejected: 'rejected',
  toHaveBeenOpened: 'opened',
  toHaveBeenClicked: 'clicked',
  toHaveBeenReportedAsSpam: 'complained',
  toHaveBeenUnsubscribedFrom: 'unsubscribed',
} as const
type Name = keyof typeof typeOf
const names = Object.keys(typeOf).filter((name): name is Name => name in typeOf)

describe('each matcher', () => {
  test('is tested here, with that of sending', () => {
    expect(Object.keys(mailMatchers).toSorted()).toEqual([...names, 'toHaveBeenSent'].toSorted())
  })

  test.each(names)('%s is of its event, recipient and mail, and of no other', async (name) => {
    const other = await record('Another', ann)
    await expect({ trackingId }).not[name]({ correlator })
    await tell({ type: typeOf[name], recipient: ann })
    await expect({ trackingId })[name]({ correlator })
    await expect({ trackingId })[name]({ correlator, to: 'Ann@Example.com' })
    await expect({ trackingId }).not[name]({ correlator, to: bob })
    await expect({ trackingId: other }).not[name]({ correlator })
    for (const another of names.filter((one) => one !== name)) {
      await expect({ trackingId }).not[another]({ correlator })
    }
    const said = await failure(expect({ trackingId }).not[name]({ correlator }))
    expect(said).toMatch(/^expected the mail .* not to have/)
  })

  test('of sending is of what was accepted, for that recipient', async () => {
    await expect({ trackingId }).toHaveBeenSent({ correlator, to: bob })
    await expect({ trackingId }).not.toHaveBeenSent({ correlator, to: 'cid@example.com' })
    await tell({ type: 'rejected', recipient: bob })
    await expect({ trackingId }).not.toHaveBeenSent({ correlator, to: bob })
    await expect({ trackingId }).toHaveBeenSent({ correlator, to: ann })
  })

  test('waits for what is still to come', async () => {
    const waiting = expect({ trackingId }).toHaveBeenDelivered({ correlator })
    await tell({ type: 'delivered', recipient: bob })
    await waiting
  })

  test('waits for a mail that is still to be sent', async () => {
    const waiting = expect({ to: 'cid@example.com' }).toHaveBeenSent({ correlator })
    await record('Later', 'cid@example.com')
    await waiting
  })
})

describe('which mail it is', () => {
  test.each([
    ['its recipient', { to: ann }],
    ['its subject', { subject: 'Confirm your address' }],
    ['a pattern of its subject', { subject: /confirm/i }],
    ['its tag', { tag: 't' }],
    ['its metadata', { metadata: { user: '42' } }],
    ['several of them', { to: bob, subject: /address/, tag: 't' }],
  ])('is said by %s', async (_, mail) => {
    await expect(mail).toHaveBeenSent({ correlator })
  })

  test.each([
    ['recipient', { to: 'cid@example.com' }],
    ['subject', { subject: 'Confirm' }],
    ['tag', { tag: 'u' }],
    ['metadata', { metadata: { user: '43' } }],
    ['id', { trackingId: '0198f000-0000-7000-8000-000000000000' }],
  ])('is not one with another %s', async (_, mail) => {
    await expect(mail).not.toHaveBeenSent({ correlator })
  })

  test('is the one of several of which it is true', async () => {
    await tell({ type: 'delivered', recipient: ann })
    await record('Confirm your address', ann)
    await expect({ to: ann }).toHaveBeenDelivered({ correlator })
  })

  test('has to be said with an object', async () => {
    const matching = expect(Object('ann').valueOf() as object).toHaveBeenSent({ correlator })
    await expect(matching).rejects.toThrow(TypeError)
  })

  test.each([[undefined], [{}]])('is looked for in a correlator, and not in %j', async (given) => {
    const matchers = expect({ to: ann })
    const matching = Reflect.apply(matchers.toHaveBeenSent, matchers, [given])
    await expect(matching).rejects.toThrow('toHaveBeenDelivered({ correlator })')
  })
})

describe('more of an event', () => {
  test('is the kind of a bounce', async () => {
    await tell({ type: 'bounced', recipient: ann, bounce: 'soft' })
    await expect({ to: ann }).toHaveBounced({ correlator, kind: 'soft' })
    await expect({ to: ann }).not.toHaveBounced({ correlator, kind: 'hard' })
    const said = await failure(
      expect({ to: ann }).toHaveBounced({ correlator, kind: 'hard', ...soon }),
    )
    expect(said).toMatch(/^expected the mail to ann@example\.com to have bounced \(hard\)\n/)
  })

  test('is the link of a click', async () => {
    await tell({ type: 'clicked', recipient: ann, url: 'https://example.com/confirm/1' })
    await expect({ to: ann }).toHaveBeenClicked({ correlator, url: /confirm/ })
    await expect({ to: ann }).not.toHaveBeenClicked({ correlator, url: 'https://example.com' })
    const elsewhere = expect({ to: ann }).toHaveBeenClicked({ correlator, url: /deny/, ...soon })
    expect(await failure(elsewhere)).toMatch(/to have been clicked at \/deny\/\n/)
  })
})

test('what is still to come is waited for, four seconds unless something else is said', async () => {
  const said = await failure(expect({ to: ann }).toHaveBeenDelivered({ correlator }))
  expect(said).toContain('it had not within 4000 ms')
})

describe('what failed is told with', () => {
  test('why it will never come, at once', async () => {
    await tell({ type: 'accepted', recipient: ann }, { type: 'bounced', recipient: ann })
    const began = performance.now()
    const matching = expect({ to: ann }).toHaveBeenDelivered({ correlator, timeout: 60_000 })
    const said = await failure(matching)
    expect(performance.now() - began).toBeLessThan(30_000)
    expect(said.split('\n').map((line) => line.replace(/\d\d:\d\d:\d\d\.\d{3}/, 'TIME'))).toEqual([
      'expected the mail to ann@example.com to have been delivered',
      `${trackingId} was bounced, so no delivered event will come`,
      '',
      '"Confirm your address"',
      '  ann@example.com: bounced',
      '  bob@example.com: accepted',
      '  TIME  sent',
      '  TIME  accepted      ann@example.com',
      '  TIME  bounced       ann@example.com  hard: 5.1.1 No such mailbox',
    ])
  })

  test('what has come so far', async () => {
    const matching = expect({ trackingId }).toHaveBeenOpened({ correlator, ...soon })
    const said = await failure(matching)
    expect(said).toContain(`the mail ${trackingId} to have been opened\nit had not within 30 ms`)
    expect(said).toContain('no event came')
  })

  test('the mails that were sent instead', async () => {
    const said = await failure(expect({ to: 'x@y.z' }).toHaveBeenSent({ correlator, ...soon }))
    expect(said).toContain('"Confirm your address" to ann@example.com, bob@example.com: accepted')
  })
})
