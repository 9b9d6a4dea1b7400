import type { EventFact, ParsedEvent } from '../../event.js'
import { contentDigest, ownId, ownIdKey } from '../../matching.js'
import { type Fields, fields, metadata, smtpCodes, text, texts, time } from '../../payload.js'
import { readBounce, readReject, smtpEvents } from './undelivered.js'

/** An entry that tells what became of a message. */
export function readMessageEvent(raw: Fields): ParsedEvent {
  const message = fields(raw['msg'])
  const recipient = text(message['email'])?.trim()
  const occurredAt = time(raw['ts'])
  // Old opens and clicks have the account's number in front.
  const providerMessageId = (text(raw['_id']) ?? text(message['_id']))?.trim().replace(/^\d+\./, '')
  const own = ownId(fields(message['metadata'])[ownIdKey])
  const identified =
    (providerMessageId !== undefined || own !== undefined) && occurredAt !== undefined
  // Not of the message, which is told as it is now: another webhook may tell it later.
  const discriminator = identified ? text(raw['diag']) : contentDigest(raw)
  return {
    ...readFact(raw, message),
    providerEvent: text(raw['event']) ?? '',
    tags: texts(message['tags']),
    metadata: metadata(message['metadata'], ownIdKey),
    raw,
    ...(recipient !== undefined && { recipient }),
    ...(occurredAt && { occurredAt }),
    ...(providerMessageId !== undefined && { providerMessageId }),
    ...(own !== undefined && { ownId: own }),
    ...(discriminator !== undefined && { discriminator }),
  }
}

const facts = new Map<string, (raw: Fields, message: Fields) => EventFact>([
  ['send', () => ({ type: 'accepted' })],
  ['deferral', (raw, message) => ({ type: 'deferred', ...smtpReply(raw, message, ['deferred']) })],
  [
    'delivered',
    (raw, message) => ({ type: 'delivered', ...smtpReply(raw, message, ['sent', 'delivered']) }),
  ],
  ['hard_bounce', (_raw, message) => readBounce('hard', message)],
  ['soft_bounce', (_raw, message) => readBounce('soft', message)],
  ['reject', readReject],
  ['open', (raw) => ({ type: 'opened', ...readVisit(raw) })],
  ['click', (raw) => ({ type: 'clicked', url: text(raw['url']) ?? '', ...readVisit(raw) })],
  ['spam', () => ({ type: 'complained' })],
  ['unsub', () => ({ type: 'unsubscribed', scope: { kind: 'all' } })],
])

function readFact(raw: Fields, message: Fields): EventFact {
  const name = text(raw['event'])
  if (name === undefined) return { type: 'unknown', error: 'it has no event name' }
  const read = facts.get(name.toLowerCase())
  return read === undefined ? { type: 'unknown' } : read(raw, message)
}

function smtpReply(
  raw: Fields,
  message: Fields,
  kinds: readonly string[],
): { response?: string; smtpCode?: number } {
  // The message is told as it is now: other attempts stand beside this one, and later ones.
  const at = time(raw['ts'])?.getTime() ?? Infinity
  const timeOf = (event: Fields): number => time(event['ts'])?.getTime() ?? -Infinity
  const attempts = smtpEvents(message)
  const attempt =
    attempts.find((event) => timeOf(event) === at) ??
    attempts.findLast((event) => kinds.includes(String(event['type'])) && timeOf(event) <= at)
  const response = text(raw['diag']) ?? text(attempt?.['diag'])
  const { smtpCode } = smtpCodes(response)
  return {
    ...(response !== undefined && { response }),
    ...(smtpCode !== undefined && { smtpCode }),
  }
}

function readVisit(raw: Fields): { ip?: string; userAgent?: string; machine?: boolean } {
  const ip = text(raw['ip'])
  const userAgent = text(raw['user_agent'])
  // One of "browser", "email client", "robot" and others to come (Message Event Webhook Format).
  const kind = text(fields(raw['user_agent_parsed'])['type']) ?? ''
  return {
    ...(ip !== undefined && { ip }),
    ...(userAgent !== undefined && { userAgent }),
    // What is no known robot may be one still.
    ...(/robot/i.test(kind) && { machine: true }),
  }
}
