import { describe, expect, test } from '@jest/globals'
import type { ParsedEvent } from '../../../src/index.js'
import { eventId, providerKey, toIncoming } from '../../../src/matching.js'
import { mailgunSimulator, mailgunWebhook } from '../../../src/providers/mailgun/index.js'
import type { SimulatedEvent } from '../../../src/testing/index.js'
import { startEndpoint } from '../../endpoint.js'
import { webhookRequest } from '../../webhook-request.js'
import { answering, at, eventsOf, historyOf, hour, sent } from './history-reading.js'
import { eventsIn, readEvent } from './reading.js'
import { apiKey, closing, domain, startMailgun } from './sending.js'

const recipient = 'ana@shop.test'

/** What is in the place of a webhook's events that tell a fact apart, and of their matching. */
const identity = (event: ParsedEvent) => {
  const { event: told, ...incoming } = toIncoming('mailgun', event, hour)
  return { ...incoming, id: told.id }
}

describe('an event of the log is the one that the webhook told', () => {
  async function toldTwice(event: Omit<SimulatedEvent, 'recipient'>) {
    const simulator = mailgunSimulator({ apiKey, domain })
    const webhook = mailgunWebhook({ signingKey: simulator.signingKey })
    const posts: Promise<ParsedEvent[]>[] = []
    const endpoint = closing(
      await startEndpoint((request, response) => {
        const pieces: Buffer[] = []
        request.on('data', (piece: Buffer) => pieces.push(piece))
        request.on('end', () => {
          const post = webhookRequest(
            { 'content-type': request.headers['content-type'] },
            Buffer.concat(pieces),
          )
          posts.push(webhook.read(post, new Date()).then(eventsIn))
          response.end()
        })
      }),
    )
    const provider = await startMailgun({ webhookUrl: endpoint.url, script: () => [] }, simulator)
    const message = await sent(provider)
    await provider.post(message, { events: [{ recipient, at: at(1234), ...event }] })
    const [byWebhook, ...more] = (await Promise.all(posts)).flat()
    const [byHistory, ...others] = await eventsOf(historyOf(provider))
    expect([more, others]).toEqual([[], []])
    if (!byWebhook || !byHistory) throw new Error('it was not told twice')
    return { byWebhook, byHistory }
  }

  test.each<[string, Omit<SimulatedEvent, 'recipient'>]>([
    ['accepted', { type: 'accepted' }],
    ['deferred', { type: 'deferred' }],
    ['delivered', { type: 'delivered' }],
    ['bounced', { type: 'bounced' }],
    ['bounced', { type: 'bounced', bounce: 'soft' }],
    ['bounced', { type: 'bounced', bounce: 'later' }],
    ['rejected', { type: 'rejected' }],
    ['opened', { type: 'opened' }],
    ['clicked', { type: 'clicked', url: 'https://shop.test/1?a=b#c' }],
    ['complained', { type: 'complained' }],
    ['unsubscribed', { type: 'unsubscribed' }],
    ['delivered', { type: 'delivered', withoutOwnId: true }],
  ])('%s: %j', async (type, event) => {
    const { byWebhook, byHistory } = await toldTwice(event)
    expect(byWebhook.type).toBe(type)
    const { raw: _entry, ...facts } = byWebhook
    const { raw: _item, ...same } = byHistory
    expect(same).toEqual(facts)
    expect(eventId('mailgun', byHistory)).toBe(eventId('mailgun', byWebhook))
    expect(providerKey('mailgun', byHistory)).toBe(providerKey('mailgun', byWebhook))
    expect(identity(byHistory)).toEqual(identity(byWebhook))
  })

  test.each([
    ['of a list', { 'mailing-list': { address: 'news@mg.example.com' } }],
    ['without variables', { 'user-variables': null }],
    ['with too many variables', { 'user-variables': 'Could not load user-variables.' }],
    ['that is stored', { storage: { key: 'k', url: 'https://storage.example.com/k' } }],
    ['of a bot', { 'client-info': { 'user-agent': 'Mozilla/5.0', bot: 'gmail' } }],
    ['without headers', { message: { headers: null } }],
    ['with nothing of its client', { 'client-info': null, ip: null }],
  ])('of a message %s', async (_, fields) => {
    const change = (entry: object) => ({ ...entry, ...fields })
    const { byWebhook, byHistory } = await toldTwice({ type: 'unsubscribed', change })
    const { discriminator: _digest, raw: _entry, ...facts } = byWebhook
    const { discriminator: _other, raw: _item, ...same } = byHistory
    expect(same).toEqual(facts)
    expect(providerKey('mailgun', byHistory)).toBe(providerKey('mailgun', byWebhook))
  })

  test.each([
    { 'is-authenticated': false, 'is-routed': false },
    { 'is-authenticated': true, 'is-routed': true },
  ])('of mail that came in, which is told at the same URL: %j', async (flags) => {
    const { byWebhook, byHistory } = await toldTwice({
      type: 'accepted',
      change: (entry) => ({ ...entry, flags }),
    })
    expect(byWebhook.providerMessageId).toBeUndefined()
    expect(byHistory.providerMessageId).toBeUndefined()
    expect(providerKey('mailgun', byHistory)).toBe(providerKey('mailgun', byWebhook))
  })

  test('by its own event id, where the log cuts the time that a webhook has rounded', async () => {
    const { byWebhook, byHistory } = await toldTwice({
      type: 'delivered',
      change: (entry) => ({ ...entry, timestamp: 1_759_996_801.234_567 }),
    })
    expect([byWebhook.occurredAt, byHistory.occurredAt]).toEqual([at(1235), at(1234)])
    expect(providerKey('mailgun', byHistory)).toBe(providerKey('mailgun', byWebhook))
  })
})

describe('an item of the log', () => {
  const item = {
    id: 'Zk2p9uEoQ4ynd0tVb5SL1w',
    event: 'delivered',
    '@timestamp': '2025-10-09T08:00:01.500Z',
    domain: { name: domain },
    recipient,
    message: { headers: { 'message-id': '1@mg.example.com' } },
  }

  async function eventOf(changes: object): Promise<ParsedEvent | undefined> {
    const provider = await startMailgun()
    answering(provider, { items: [{ ...item, ...changes }], pagination: {} })
    const [event] = await eventsOf(historyOf(provider))
    return event
  }

  // In the form of those that public repositories have kept; a webhook has one flag of it.
  test('of a delayed bounce is of mail that went out, although it says that nobody sent it', async () => {
    const bounce = {
      event: 'failed',
      severity: 'permanent',
      reason: 'generic',
      envelope: {},
      'delivery-status': { message: 'smtp; 550 5.1.1 gone', 'enhanced-code': '5.1.1', code: 550 },
    }
    const flags = {
      'is-authenticated': false,
      'is-system-test': false,
      'is-routed': false,
      'is-test-mode': false,
      'is-delayed-bounce': true,
      'is-callback': false,
      'is-webhook': false,
    }
    const event = await eventOf({ ...bounce, flags, 'user-variables': '{}' })
    const posted = await readEvent({
      ...item,
      ...bounce,
      timestamp: 1_759_996_801.5,
      flags: { 'is-delayed-bounce': true },
    })
    expect(event).toMatchObject({
      type: 'bounced',
      bounce: { kind: 'hard', asynchronous: true },
      providerMessageId: '1@mg.example.com',
    })
    expect(event && identity(event)).toEqual(identity(posted))
  })

  test.each(['complained', 'opened', 'clicked', 'unsubscribed', 'rejected'])(
    'of %s is of mail that went out',
    async (name) => {
      const flags = { 'is-authenticated': false, 'is-routed': false }
      expect(await eventOf({ event: name, flags })).toMatchObject({
        providerMessageId: '1@mg.example.com',
      })
    },
  )

  test('of a message that Mailgun rejected says why, and stands for its one recipient', async () => {
    const { recipient: _none, ...others } = item
    const rejected = { event: 'rejected', reason: 'Sandbox subdomains are for test purposes only.' }
    expect(
      await eventOf({
        ...others,
        ...rejected,
        recipient: undefined,
        message: { headers: { 'message-id': '1@mg.example.com', to: recipient } },
      }),
    ).toMatchObject({
      type: 'rejected',
      reason: 'other',
      detail: 'Sandbox subdomains are for test purposes only.',
      recipient,
    })
    expect(
      await eventOf({ event: 'rejected', reject: { reason: 'so' }, reason: 'x' }),
    ).toMatchObject({ detail: 'so' })
    expect(
      await eventOf({ event: 'rejected', 'delivery-status': { message: 'because' } }),
    ).toMatchObject({ detail: 'because' })
  })

  test.each([
    ['2025-10-09T08:00:01Z', at(1000)],
    ['2025-10-09T08:00:01.5Z', at(1500)],
    ['2025-10-09T10:00:01.500+02:00', at(1500)],
    ['2025-10-09T08:00:01.234567Z', at(1235)],
    ['2025-10-09T08:00:01.234567891Z', at(1235)],
  ])('has its time in %s', async (moment, occurredAt) => {
    expect(await eventOf({ '@timestamp': moment })).toMatchObject({ occurredAt })
  })

  test('has the variables of the message as text, as an object, or as what else stands there', async () => {
    const own = '0199c7f2-3c44-7d5e-8a11-1f0e5b7c9d21'
    const variables = { mailtrail_id: own, order: '1042' }
    for (const told of [JSON.stringify(variables), variables]) {
      expect(await eventOf({ 'user-variables': told })).toMatchObject({
        ownId: own,
        metadata: { order: '1042' },
        raw: { 'user-variables': variables },
      })
    }
    for (const told of ['', '[]', '7', '{', 'Could not load user-variables.', null, 7, []]) {
      expect(await eventOf({ 'user-variables': told })).toMatchObject({
        metadata: {},
        raw: { 'user-variables': told },
      })
    }
  })
})
