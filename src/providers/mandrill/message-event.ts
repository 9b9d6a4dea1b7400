import type { EventFact, ParsedEvent, RejectReason } from '../../event.js'
import { contentDigest, ownId, ownIdKey } from '../../matching.js'
import {
  type Fields,
  fields,
  listOfFields,
  metadata,
  smtpCodes,
  text,
  texts,
  time,
  wholeNumber,
} from '../../payload.js'

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

function readBounce(kind: 'hard' | 'soft', message: Fields): EventFact {
  const response = text(message['diag']) ?? text(message['bounce_description'])
  const codes = smtpCodes(response)
  return {
    type: 'bounced',
    bounce: {
      kind: kind === 'soft' && isBlock(message, codes.enhancedCode) ? 'block' : kind,
      asynchronous: cameBackAsMail(message, response),
      ...codes,
    },
    ...(response !== undefined && { response }),
  }
}

// `bgtools_code` is the code that BoogieTools' BounceStudio gives; these are its mail blocks, from
// "general" to "relay denied" (its documents, Email Bounce Return Codes).
const firstMailBlock = 50
const lastMailBlock = 54

/** Whether the sender or the content was refused rather than the address. */
function isBlock(message: Fields, enhancedCode: string | undefined): boolean {
  const code = wholeNumber(message['bgtools_code']) ?? 0
  return (
    // The codes of security and policy (RFC 3463).
    enhancedCode?.split('.')[1] === '7' ||
    (code >= firstMailBlock && code <= lastMailBlock) ||
    /spam|block|polic/i.test(text(message['bounce_description']) ?? '')
  )
}

/** Whether the receiving server had taken it before it sent a bounce. */
function cameBackAsMail(message: Fields, diagnosis: string | undefined): boolean {
  return (
    smtpEvents(message).some(({ type }) => type === 'sent' || type === 'delivered') ||
    // What stands before the semicolon is `smtp` in the dialogue; bounce mails have words of their own.
    /^\s*x-[\w-]+\s*;/i.test(diagnosis ?? '')
  )
}

const smtpEvents = (message: Fields): Fields[] => listOfFields(message['smtp_events'])

// By the reason with hyphens. The others speak of the sender or the account: `invalid-sender`, `unsigned`,
// `test`, `test-mode-limit`, `recipient-domain-mismatch`, limits by the hour and the day.
const rejectReasons = new Map<string, RejectReason>([
  ['hard-bounce', 'bounced'],
  ['soft-bounce', 'bounced'],
  ['spam', 'spam'],
  ['unsub', 'unsubscribed'],
  ['custom', 'blocked'],
  ['rule', 'blocked'],
  ['invalid', 'invalid'],
])

function readReject(_raw: Fields, message: Fields): EventFact {
  // Real reject events often say no reason at all.
  const detail = text(fields(message['reject'])['reason'])
  // Older documents wrote underscores.
  const word = detail?.trim().toLowerCase().replace(/[_\s]/g, '-') ?? ''
  const reason = rejectReasons.get(word) ?? 'other'
  return { type: 'rejected', reason, ...(detail !== undefined && { detail }) }
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
