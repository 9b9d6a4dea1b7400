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
  if (bareId(info) !== id || !isRepeatable(info)) return []
  const timed = timedFacts(info)
    .filter(({ ts }) => isWithin(time(ts), span))
    .slice(0, mostEvents)
  const sentBefore = (time(info['ts']) ?? span.from) < span.to
  return [
    ...readFacts(info, timed).toSorted((a, b) => atOf(a) - atOf(b)),
    ...readFacts(info, sentBefore ? untimedFacts(info) : []).map(withoutDigest),
  ]
}

/** As in webhooks, the account's number may stand in front. */
function bareId(info: Fields): string | undefined {
  return text(info['_id'])
    ?.trim()
    .replace(/^\d+\./, '')
}

// Nobody opens a message so often; an answer might say so all the same.
const mostEvents = 10_000

const visitFields = new Set(['opens', 'opens_detail', 'clicks', 'clicks_detail'])

/** What each event repeats of the message: without the lists of visits, which each visit would repeat whole. */
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

/** What an entry of a webhook has beside the message. */
interface Fact {
  event: string
  ts?: unknown
  [field: string]: unknown
}

function readFacts(info: Fields, facts: readonly Fact[]): ParsedEvent[] {
  const message = messageOf(info)
  const entries = facts.map(({ attempt, ...fact }) => ({
    _id: info['_id'],
    msg: attempt === undefined ? message : withAnswer(message, fields(attempt)),
    ...fact,
  }))
  return readEach(entries, readMessageEvent).filter(({ type }) => type !== 'unknown')
}

/** The receiving server's answer stands where webhooks have that to a bounce. */
function withAnswer(message: Fields, { diag }: Fields): Fields {
  return { ...message, diag: message['diag'] ?? diag }
}

const atOf = ({ occurredAt }: ParsedEvent): number => occurredAt?.getTime() ?? Infinity

/** What has a time that cannot be read is left out. */
function isWithin(at: Date | undefined, { from, to }: Span): boolean {
  return at !== undefined && at >= from && at < to
}

/** What has no time is told apart by a digest of its entry, which is another when the message has changed. */
function withoutDigest({ discriminator: _, ...event }: ParsedEvent): ParsedEvent {
  return event
}

function timedFacts(info: Fields): Fact[] {
  const attempts = attemptsOf(info)
  return [
    ...beginning(info, attempts),
    ...attempts
      .filter(isDelivery(attempts))
      .map(({ ts, diag }) => ({ event: 'delivered', ts, diag })),
    ...attempts.flatMap((attempt) => {
      const event = failures.get(text(attempt['type']) ?? '')
      return event === undefined ? [] : [{ event, ts: attempt['ts'], attempt }]
    }),
    ...list(info['opens_detail']).map((visit) => ({ event: 'open', ...visitOf(visit) })),
    ...list(info['clicks_detail']).map((visit) => ({
      event: 'click',
      ...visitOf(visit),
      url: visit['url'],
    })),
  ]
}

/** The last three. */
const attemptsOf = (info: Fields): Fields[] => list(info['smtp_events'])

const list = (value: unknown): Fields[] => (Array.isArray(value) ? value.filter(isFields) : [])

const sentStates = new Set(['sent', 'delivered', 'spam', 'unsub'])

function beginning(info: Fields, attempts: readonly Fields[]): Fact[] {
  const state = text(info['state']) ?? ''
  // The webhook of what is refused before it is sent has the time of the message, too (logs of 2015, 2019).
  if (state === 'rejected') return [{ event: 'reject', ts: info['ts'] }]
  const sent = attempts.find(({ type }) => type === 'sent')
  // Unverified: that the webhook has the time of the attempt where there is one.
  return sent || sentStates.has(state) ? [{ event: 'send', ts: sent?.['ts'] ?? info['ts'] }] : []
}

/**
 * Whether the receiving server took the message at an attempt. Unverified: that where there is none of
 * type `delivered`, the webhook tells that of type `sent` as a delivery of that second.
 */
function isDelivery(attempts: readonly Fields[]): (attempt: Fields) => boolean {
  if (attempts.some(({ type }) => type === 'delivered')) return ({ type }) => type === 'delivered'
  return ({ type, diag }) => type === 'sent' && /^\s*2\d\d\b/.test(text(diag) ?? '')
}

// An attempt's type is the state of the message after it (the API's documents).
const failures = new Map([
  ['deferred', 'deferral'],
  ['bounced', 'hard_bounce'],
  ['soft-bounced', 'soft_bounce'],
])

/**
 * The fields as webhooks name them. Their `user_agent` is what the browser sent. In the API's documents `ua`
 * is a summary, such as `Linux/Ubuntu/Chrome/Chrome 28.0.1500.53`: then the event is another than theirs.
 */
function visitOf({ ts, ip, location, ua }: Fields): Omit<Fact, 'event'> {
  return { ts, ip, location, user_agent: ua }
}

const finalStates = new Map([
  ['bounced', 'hard_bounce'],
  ['soft-bounced', 'soft_bounce'],
  ['spam', 'spam'],
  ['unsub', 'unsub'],
])

/** What only the state of the message tells of, and not when. */
function untimedFacts(info: Fields): Fact[] {
  const state = text(info['state']) ?? ''
  const event = finalStates.get(state)
  const isTimed = attemptsOf(info).some(({ type, ts }) => type === state && time(ts) !== undefined)
  return event === undefined || isTimed ? [] : [{ event }]
}
