import { equal, notEqual, ok } from 'node:assert/strict'
import { v7 as uuidv7 } from 'uuid'
import { fields } from '../payload.js'
import type { SimulatedEvent, SimulatedEventType } from '../simulator.js'
import { same } from './comparing.js'
import {
  ann,
  bob,
  isTaken,
  known,
  type OpenedProvider,
  post,
  postAll,
  type ProviderChecks,
  refusalOf,
  send,
  tell,
  transporterOf,
  plainMail,
} from './provider-steps.js'
import { entriesFor, signedRequests } from './signed-requests.js'

/** The events of a message that was read, in their order, a second apart. */
function life({ subject }: OpenedProvider, recipient = ann): SimulatedEvent[] {
  const types: SimulatedEventType[] = ['accepted', 'deferred', 'delivered', 'opened', 'complained']
  const start = Math.floor(Date.now() / 1000) * 1000 - 60_000
  return types
    .filter((type) => !subject.untold?.includes(type))
    .map((type, second) => ({ type, recipient, at: new Date(start + second * 1000) }))
}

const typesOf = (events: readonly { type: string }[]): string[] => events.map(({ type }) => type)

/** Every order that begins with each of them, each of those once forward and once backward. */
function orders<T>(values: readonly T[]): T[][] {
  return values.flatMap((_, first) => {
    const turned = [...values.slice(first), ...values.slice(0, first)]
    return [turned, turned.toReversed()]
  })
}

/** What an entry looks like where everything in it is another thing than it should be. */
const spoilt: readonly ((entry: Record<string, unknown>) => unknown)[] = [
  () => ({}),
  ...[null, 7, 'teleported', [], {}, { of: { a: 'kind' } }].map(
    (value) => (entry: Record<string, unknown>) =>
      Object.fromEntries(Object.keys(entry).map((key) => [key, value])),
  ),
  () => ({ deep: JSON.parse(`${'['.repeat(500)}${']'.repeat(500)}`) }),
]

/** That facts are recorded once, in whatever order and company they come, and early. */
export const repetitionChecks: ProviderChecks = {
  async 'a request that comes again and again is taken each time, and counted once'(opened) {
    const sent = await send(opened)
    const requests = signedRequests(opened.simulator, sent.message, life(opened))
    await postAll(opened, [...requests, ...requests, ...requests])
    same(typesOf((await known(opened, sent)).events), typesOf(life(opened)))
    same(typesOf(opened.told.map(({ event }) => event)), typesOf(life(opened)))
  },

  async 'an event that comes under another id is counted once'(opened) {
    const sent = await send(opened)
    const events = life(opened)
    await tell(opened, sent.message, ...events)
    // The simulator writes each anew, with whatever it has for an id.
    await tell(opened, sent.message, ...events)
    same(typesOf((await known(opened, sent)).events), typesOf(events))
    equal(opened.told.length, events.length)
  },

  async 'what comes again in other batches is counted once'(opened) {
    const sent = await send(opened)
    const events = life(opened)
    const entries = entriesFor(opened.simulator, sent.message, events)
    const batches = [entries, entries.slice(0, 1), entries.slice(1), entries.toReversed()]
    for (const batch of batches) {
      await postAll(opened, opened.simulator.webhooks(batch, new Date()))
    }
    same(typesOf((await known(opened, sent)).events), typesOf(events))
    equal(opened.told.length, events.length)
  },

  async 'the same thing at another time, or to another recipient, is another event'(opened) {
    const sent = await send(opened, { cc: bob })
    const opening = (recipient: string, second: number): SimulatedEvent => {
      const type = opened.subject.untold?.includes('opened') ? 'delivered' : 'opened'
      return { type, recipient, at: new Date(1_790_000_000_000 + second * 1000) }
    }
    await tell(opened, sent.message, opening(ann, 1), opening(ann, 2), opening(bob, 1))
    equal((await known(opened, sent)).events.length, 3)
  },

  async 'the order in which events come makes no difference'(opened) {
    const ends = new Set<string>()
    for (const events of orders(life(opened))) {
      // Who complained is mailed no more otherwise.
      const sent = await send(opened, { ignoreSuppressions: true })
      for (const event of events) await tell(opened, sent.message, event)
      const { status, recipients, events: timeline } = await known(opened, sent)
      const [recipient] = recipients
      same(typesOf(timeline), typesOf(life(opened)))
      const engaged = Object.keys(recipient?.engagement ?? {}).toSorted()
      ends.add([status, recipient?.status, ...engaged].join(', '))
    }
    equal(ends.size, 1, `it ends in several ways: ${[...ends].join(' or ')}`)
    ok([...ends][0]?.startsWith('delivered, delivered'), `it ends as ${[...ends].join()}`)
  },

  async 'an entry that cannot be read harms no other'(opened) {
    const sent = await send(opened, { cc: bob })
    const [first] = entriesFor(opened.simulator, sent.message, [
      { type: 'delivered', recipient: ann },
    ])
    const [last] = entriesFor(opened.simulator, sent.message, [
      { type: 'delivered', recipient: bob },
    ])
    ok(first && last)
    const poison = [null, 'text', 7, [], ...spoilt.map((spoil) => spoil(fields(first)))]
    const requests = opened.simulator.webhooks([first, ...poison, last], new Date())
    for (const request of requests) {
      const status = await post(opened, request)
      ok(status < 500, `an entry that cannot be read was answered ${status}`)
    }
    await opened.correlator.drain()
    const { recipients } = await known(opened, sent)
    same(
      recipients.map(({ status }) => status),
      ['delivered', 'delivered'],
    )
    const unread = opened.told.filter(({ event }) => event.type === 'unknown')
    ok(unread.length >= spoilt.length, 'what could not be read is not told as unknown')
  },

  async 'an event that comes before the API has answered finds its message'(opened) {
    opened.script = () => [{ events: [{ type: 'delivered', recipient: ann }], early: true }]
    const sent = await send(opened)
    await opened.running.settled()
    await opened.correlator.drain()
    equal(opened.told.length, 1)
    equal((await known(opened, sent)).status, 'delivered')
  },

  async 'an event without our id finds its message by the provider’s'(opened) {
    const sent = await send(opened, { cc: bob })
    await tell(opened, sent.message, { type: 'delivered', recipient: bob, withoutOwnId: true })
    const [told] = opened.told
    equal(told?.event.trackingId, sent.info.trackingId, 'it is not matched')
    notEqual(told?.event.correlation.via, 'recipient', 'it is matched by its recipient alone')
    const { recipients } = await known(opened, sent)
    same(
      recipients.map(({ status }) => status),
      ['accepted', 'delivered'],
    )
  },

  async 'an event of mail that was sent otherwise is told as foreign, and changes no message'(
    opened,
  ) {
    const sent = await send(opened)
    const id = uuidv7()
    const { message } = sent
    const other = {
      ...message,
      id,
      messageId: `${id}@example.org`,
      metadata: {},
      recipients: message.recipients.map(({ address }) => ({ address, id })),
    }
    const event: SimulatedEvent = { type: 'bounced', recipient: ann, withoutOwnId: true }
    for (const request of signedRequests(opened.simulator, other, [event])) {
      equal(isTaken(await post(opened, request)), true, 'it was refused')
    }
    await opened.correlator.drain()
    same(
      opened.told.map(({ event: { correlation }, message: told }) => [correlation.status, told]),
      [['foreign', undefined]],
    )
    same((await known(opened, sent)).events, [])
  },

  async 'a send whose answer was lost is settled by its first event'(opened) {
    opened.script = () => [{ events: [{ type: 'delivered', recipient: ann }] }]
    opened.running.failNext({ kind: 'cut' })
    await refusalOf(transporterOf(opened).sendMail(plainMail))
    await opened.running.settled()
    await opened.correlator.drain()
    const { messages } = await opened.correlator.find()
    same(
      messages.map(({ status, failFlag }) => [status, failFlag]),
      [['delivered', false]],
    )
  },
}
