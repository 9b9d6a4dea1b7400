import type { ParsedEvent } from '../../event.js'
import { type Fields, fields, isFields, readEach, text, time } from '../../payload.js'
import { readMessageEvent } from './message-event.js'

/** From `from` up to but not including `to`. */
export interface Span {
  from: Date
  to: Date
}

/**
 * The events that `messages/info` tells of a message, read as the entries that its webhooks would have
 * posted; none when the answer is not about that message, or cannot be read.
 *
 * Complaints, unsubscribes and bounces that came back as mail have no time there. They are told without
 * `occurredAt` whatever the span, under the same id each time, which is not that of the webhook's telling.
 */
export function historyEvents(answer: unknown, id: string, span: Span): ParsedEvent[] {
  const info = fields(answer)
  // As in webhooks, the account's number may stand in front.
  if (
    text(info['_id'])
      ?.trim()
      .replace(/^\d+\./, '') !== id ||
    !isRepeatable(info)
  )
    return []
  const timed = readEntries(timedEntries(info)).filter((event) => isWithin(event, span))
  const sentBefore = (time(info['ts']) ?? span.from) < span.to
  const untimed = sentBefore ? readEntries(untimedEntries(info)).map(withoutDigest) : []
  return [...timed.toSorted((a, b) => atOf(a) - atOf(b)), ...untimed]
}

const visitFields = new Set(['opens', 'opens_detail', 'clicks', 'clicks_detail'])

/** What each event repeats of the message. The lists of all visits are not: they would grow by their square. */
function messageOf(info: Fields): Fields {
  return Object.fromEntries(Object.entries(info).filter(([name]) => !visitFields.has(name)))
}

// Metadata has 250 bytes, and of SMTP events there are three.
const longestMessage = 64 * 1024

function isRepeatable(info: Fields): boolean {
  try {
    return JSON.stringify(messageOf(info)).length <= longestMessage
  } catch {
    // It is nested without end.
    return false
  }
}

function readEntries(entries: readonly Fields[]): ParsedEvent[] {
  return readEach(entries, readMessageEvent).filter(({ type }) => type !== 'unknown')
}

const atOf = ({ occurredAt }: ParsedEvent): number => occurredAt?.getTime() ?? Infinity

/** What has a time that cannot be read is left out. */
function isWithin(event: ParsedEvent, { from, to }: Span): boolean {
  return atOf(event) >= from.getTime() && atOf(event) < to.getTime()
}

/** Of an event without a time that is the whole entry, which is another as soon as the message changes. */
function withoutDigest({ discriminator: _, ...event }: ParsedEvent): ParsedEvent {
  return event
}

function timedEntries(info: Fields): Fields[] {
  const message = messageOf(info)
  const entry = (event: string, ts: unknown, details: Fields = {}): Fields => ({
    event,
    _id: info['_id'],
    msg: message,
    ts,
    ...details,
  })
  const attempts = list(info['smtp_events'])
  return [
    ...(wasSent(info) ? [entry('send', firstOf(attempts, 'sent')?.['ts'] ?? info['ts'])] : []),
    // Refused before it was sent: the webhook has the time of the message too (logs of 2015 and 2019).
    ...(info['state'] === 'rejected' ? [entry('reject', info['ts'])] : []),
    ...deliveries(attempts).map(({ ts, diag }) => entry('delivered', ts, { diag })),
    ...attempts.flatMap(({ type, ts, diag }) => {
      const event = attemptEvents.get(text(type) ?? '')
      if (event === undefined) return []
      // The webhook has the answer in its message; of a deferral, among the attempts.
      return event === 'deferral'
        ? [entry(event, ts)]
        : [entry(event, ts, { msg: { ...message, diag: message['diag'] ?? diag } })]
    }),
    ...list(info['opens_detail']).map((visit) => entry('open', visit['ts'], visitOf(visit))),
    ...list(info['clicks_detail']).map((visit) =>
      entry('click', visit['ts'], { ...visitOf(visit), url: visit['url'] }),
    ),
  ]
}

// An attempt's type is the state of the message after it (the API's documents). Of `delivered` they say
// nothing yet.
const attemptEvents = new Map([
  ['deferred', 'deferral'],
  ['bounced', 'hard_bounce'],
  ['soft-bounced', 'soft_bounce'],
])

const sentStates = new Set(['sent', 'delivered', 'spam', 'unsub'])

function wasSent(info: Fields): boolean {
  return (
    sentStates.has(text(info['state']) ?? '') ||
    firstOf(list(info['smtp_events']), 'sent') !== undefined
  )
}

/**
 * The attempts that the receiving server took. Unverified: whether those of type `sent` are told by
 * webhooks as delivered at the same second and with the same answer, by which the events would be one.
 */
function deliveries(attempts: readonly Fields[]): Fields[] {
  const delivered = attempts.filter(({ type }) => type === 'delivered')
  if (delivered.length > 0) return delivered
  return attempts.filter(
    ({ type, diag }) => type === 'sent' && /^\s*2\d\d\b/.test(text(diag) ?? ''),
  )
}

/**
 * The fields as webhooks name them. There `user_agent` is what the browser sent; `ua` is a summary in the
 * API's documents, as `Linux/Ubuntu/Chrome/Chrome 28.0`, and the event then has another id.
 */
function visitOf({ ip, location, ua }: Fields): Fields {
  return { ip, location, user_agent: ua }
}

const stateEvents = new Map([
  ['bounced', 'hard_bounce'],
  ['soft-bounced', 'soft_bounce'],
  ['spam', 'spam'],
  ['unsub', 'unsub'],
])

/** What only the state of the message tells of, and not when. */
function untimedEntries(info: Fields): Fields[] {
  const state = text(info['state']) ?? ''
  const event = stateEvents.get(state)
  if (event === undefined || firstOf(list(info['smtp_events']), state)) return []
  return [{ event, _id: info['_id'], msg: messageOf(info) }]
}

const firstOf = (attempts: readonly Fields[], type: string): Fields | undefined =>
  attempts.find((attempt) => attempt['type'] === type)

const list = (value: unknown): Fields[] => (Array.isArray(value) ? value.filter(isFields) : [])
