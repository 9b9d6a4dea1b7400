import { v7 as uuidv7 } from 'uuid'
import fc from 'fast-check'
import { createCorrelator, type Correlator, type Store } from '../src/index.js'
import type { ParsedEvent } from '../src/event.js'
import type { MessageRecord, SendResult } from '../src/message.js'
import type { Webhook } from '../src/provider.js'
import { referenceOf, type Fact } from './reference-fold.js'

/** A provider whose webhook takes events as they are, as JSON. */
const plainWebhook: Webhook = {
  provider: 'plain',
  name: 'plain',
  maxBodyBytes: 1_000_000,
  answers: { stored: 200, forged: 403, malformed: 400 },
  read: async ({ body }) => {
    const entries: (ParsedEvent & { at: number })[] = JSON.parse(body.toString())
    const events = entries.map(({ at, ...entry }) => ({
      ...entry,
      occurredAt: new Date(at * 1000),
    }))
    return { kind: 'events', events }
  },
}

const names = ['ann', 'bob', 'cid'] as const
const addressOf = (name: string): string => `${name}@example.com`

/** Facts of few kinds, times and recipients, so that they meet often. */
const fact: fc.Arbitrary<Fact> = fc.record({
  message: fc.nat(2),
  recipient: fc.constantFrom(...names),
  kind: fc.constantFrom(
    'accepted',
    'deferred',
    'delivered',
    'bounced',
    'bounced later',
    'rejected',
    'opened',
    'opened by a machine',
    'clicked',
    'complained',
    'unsubscribed',
  ),
  at: fc.nat(3),
  knows: fc.constantFrom('own-id', 'provider-id', 'message-id', 'own-id and provider-id'),
})

/** One delivery of a fact: which, under which id of the provider, and where in the disorder. */
const delivery = fc.record({
  fact: fc.nat(),
  eventId: fc.constantFrom('none', 'the same', 'another'),
  place: fc.nat(1000),
})

/** How what is ordered by place is cut into requests: to which correlator, and whether at once with the one before. */
const cut = fc.record({
  size: fc.integer({ min: 1, max: 6 }),
  to: fc.nat(3),
  together: fc.boolean(),
})

const plan = fc.record({
  recipients: fc.array(fc.uniqueArray(fc.constantFrom(...names), { minLength: 1 }), {
    minLength: 3,
    maxLength: 3,
  }),
  facts: fc.array(fact, { minLength: 1, maxLength: 10 }),
  again: fc.array(delivery, { maxLength: 12 }),
  places: fc.array(fc.nat(1000), { minLength: 16, maxLength: 16 }),
  cuts: fc.array(cut, { minLength: 1, maxLength: 12 }),
  correlators: fc.integer({ min: 1, max: 4 }),
})

type Plan = typeof plan extends fc.Arbitrary<infer T> ? T : never

interface PlannedMessage {
  record: MessageRecord
  result: SendResult
}

/** Messages of a run of their own: no two runs have an id in common. */
function messagesOf({ recipients }: Plan): PlannedMessage[] {
  const tag = uuidv7()
  return recipients.map((to) => {
    const trackingId = uuidv7()
    const addresses = to.map((name) => ({ name: '', address: addressOf(name) }))
    const record: MessageRecord = {
      trackingId,
      provider: 'plain',
      messageId: `<${trackingId}@example.com>`,
      envelope: { from: false, to: addresses.map(({ address }) => address) },
      to: addresses,
      cc: [],
      bcc: [],
      tags: [tag],
      metadata: {},
      sentAt: new Date(0),
      recipients: addresses.map(({ address }) => ({
        address,
        kind: 'to',
        status: 'unknown',
        providerStatus: '',
      })),
      outcome: 'sending',
    }
    const accepted = record.recipients.map((entry) => ({ ...entry, status: 'accepted' as const }))
    const providerMessageId = `p-${trackingId}`
    return { record, result: { outcome: 'sent', recipients: accepted, providerMessageId } }
  })
}

const factsOfKind: Record<Fact['kind'], Partial<ParsedEvent> & Pick<ParsedEvent, 'type'>> = {
  accepted: { type: 'accepted' },
  deferred: { type: 'deferred' },
  delivered: { type: 'delivered' },
  bounced: { type: 'bounced', bounce: { kind: 'hard', asynchronous: false } },
  'bounced later': { type: 'bounced', bounce: { kind: 'hard', asynchronous: true } },
  rejected: { type: 'rejected', reason: 'other' },
  opened: { type: 'opened', ip: '203.0.113.1' },
  'opened by a machine': { type: 'opened', ip: '203.0.113.2', machine: true },
  clicked: { type: 'clicked', url: 'https://example.com/' },
  complained: { type: 'complained' },
  unsubscribed: { type: 'unsubscribed', scope: { kind: 'all' } },
}

/** A fact as the webhook takes it. */
function entryOf(
  { message, recipient, kind, at, knows }: Fact,
  messages: readonly PlannedMessage[],
  eventId: string | undefined,
) {
  const { record, result } = messages[message] ?? { record: undefined, result: undefined }
  return {
    ...factsOfKind[kind],
    providerEvent: kind,
    at,
    recipient: addressOf(recipient).toUpperCase(),
    tags: [],
    metadata: {},
    raw: {},
    ...(knows.includes('own-id') && { ownId: record?.trackingId }),
    ...(knows.includes('provider-id') && { providerMessageId: result?.providerMessageId }),
    ...(knows === 'message-id' && { messageId: record?.messageId }),
    ...(eventId !== undefined && { providerEventId: eventId }),
  }
}

type Step = (correlator: Correlator) => Promise<void>

async function post(entries: readonly unknown[], correlator: Correlator): Promise<void> {
  const body = JSON.stringify(entries)
  const request = new Request('https://example.com/plain', { method: 'POST', body })
  const { status } = await correlator.handler(request)
  if (status !== 200) throw new Error(`it was answered ${status}`)
}

/** Everything that happens in a run, in an order of its own, cut into steps. */
function stepsOf(run: Plan, messages: readonly PlannedMessage[]): Step[] {
  const { facts, again, places, cuts } = run
  const eventIdOf = (index: number, choice: string, turn: number): string | undefined => {
    if (choice === 'none') return undefined
    return `${messages[0]?.record.trackingId}-${index}${choice === 'another' ? `-${turn}` : ''}`
  }
  const first = facts.map((entry, index) => ({
    place: places[index] ?? 0,
    entry: entryOf(entry, messages, eventIdOf(index, 'the same', 0)),
  }))
  const repeated = again.flatMap(({ fact: chosen, eventId, place }, turn) => {
    const index = chosen % facts.length
    const entry = facts[index]
    const id = eventIdOf(index, eventId, turn)
    return entry ? [{ place, entry: entryOf(entry, messages, id) }] : []
  })
  const entries = [...first, ...repeated].toSorted((a, b) => a.place - b.place)
  const steps: { place: number; step: Step }[] = []
  for (let turn = 0; entries.length > 0; turn += 1) {
    const batch = entries.splice(0, cuts[turn % cuts.length]?.size ?? 1)
    const place = batch[0]?.place ?? 0
    steps.push({
      place,
      step: (to) =>
        post(
          batch.map(({ entry }) => entry),
          to,
        ),
    })
  }
  for (const [index, { record, result }] of messages.entries()) {
    const two = [places[10 + index] ?? 0, places[13 + index] ?? 0].toSorted((a, b) => a - b)
    let sending: Promise<void> | undefined
    steps.push({ place: two[0] ?? 0, step: (to) => (sending = to.recordSending(record)) })
    // A transport has written that it sends before it has a result.
    const answer: Step = async (to) => {
      await sending
      await to.recordResult(record, result)
    }
    steps.push({ place: (two[1] ?? 0) + 0.5, step: answer })
  }
  return steps.toSorted((a, b) => a.place - b.place).map(({ step }) => step)
}

/** Runs the steps, those that are cut together at once, each at one of the correlators. */
async function happen(run: Plan, messages: readonly PlannedMessage[], all: readonly Correlator[]) {
  const correlators = all.slice(0, run.correlators)
  let together: Promise<void>[] = []
  for (const [turn, step] of stepsOf(run, messages).entries()) {
    const { to = 0, together: atOnce = false } = run.cuts[turn % run.cuts.length] ?? {}
    if (!atOnce) {
      await Promise.all(together)
      together = []
    }
    const correlator = correlators[to % correlators.length]
    if (correlator) together.push(step(correlator))
  }
  await Promise.all(together)
}

/** What is stored of a message, in the words of the reference. */
async function storedOf(trackingId: string, correlator: Correlator) {
  const message = await correlator.message(trackingId)
  if (!message) throw new Error('the message is not there')
  return {
    status: message.status,
    recipients: Object.fromEntries(
      message.recipients.map(({ address, status, engagement }) => [
        address,
        { status, engagement },
      ]),
    ),
    events: message.events.length,
    timeline: message.events.map(({ type, occurredAt }) => `${occurredAt.getTime()} ${type}`),
  }
}

type Reference = ReturnType<typeof referenceOf>

/** What is to be counted of the messages of one run, worked out from what became of them. */
function countsOf(references: readonly Reference[]): Record<string, number> {
  const counts: Record<string, number> = {}
  const add = (counted: string, by = 1): void => {
    counts[counted] = (counts[counted] ?? 0) + by
  }
  for (const { recipients } of references) {
    add('messages')
    add('sent')
    for (const { status, engagement } of Object.values(recipients)) {
      add('recipients')
      add(status)
      for (const kind of Object.keys(engagement)) add(kind)
      if (engagement.opened) add('opens', engagement.opened.count)
      if (engagement.clicked) add('clicks', engagement.clicked.count)
    }
  }
  return counts
}

/** What a store has counted of each run, which has a tag of its own. */
async function countedIn(store: Store): Promise<Record<string, Record<string, number>>> {
  const span = { from: 0, to: 1, limit: 1_000_000 }
  const rows = await store.counts({ dimension: 'tag', by: 'value', ...span })
  return Object.fromEntries(
    rows.map(({ key, counts }) => [
      key,
      Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0)),
    ]),
  )
}

/**
 * Whatever the order, repetition, batching and event ids in which facts come, to one or several
 * correlators at once, before their message or after, what is stored and what is counted is what the set
 * of facts says.
 *
 * @param handles four handles on one database
 */
export async function checkEndsInTheSameState(
  handles: readonly Store[],
  runs: number,
  expectEqual: (stored: unknown, reference: unknown) => void,
): Promise<void> {
  const correlators = handles.map((store) => createCorrelator({ store, webhooks: [plainWebhook] }))
  const counts: Record<string, Record<string, number>> = {}
  const property = fc.asyncProperty(plan, async (run) => {
    const messages = messagesOf(run)
    await happen(run, messages, correlators)
    const references: Reference[] = []
    for (const [index, { record }] of messages.entries()) {
      const addresses = record.to.map(({ address }) => address)
      const mine = run.facts.filter(({ message }) => message === index)
      const reference = referenceOf(mine, addresses, addressOf)
      const [reader] = correlators
      if (reader) expectEqual(await storedOf(record.trackingId, reader), reference)
      references.push(reference)
    }
    counts[messages[0]?.record.tags[0] ?? ''] = countsOf(references)
  })
  await fc.assert(property, { numRuns: runs })
  const [store] = handles
  if (store) expectEqual(await countedIn(store), counts)
}
