import type { EventFact, ParsedEvent } from '../../event.js'
import { contentDigest, ownId, ownIdKey, rfcMessageId } from '../../matching.js'
import {
  type Fields,
  fields,
  flag,
  metadata,
  smtpCodes,
  text,
  texts,
  time,
  wholeNumber,
} from '../../payload.js'
import { reservedKey } from './reserved-keys.js'
import { readBounce, readDrop } from './undelivered.js'

/** An event as SendGrid sends it. Custom arguments stand beside the known keys. */
export interface SendgridEvent {
  event?: string
  email?: string
  timestamp?: number | string
  sg_event_id?: string
  sg_message_id?: string
  'smtp-id'?: string
  category?: string | string[]
  asm_group_id?: number
  response?: string
  attempt?: string | number
  reason?: string
  status?: string
  type?: string
  bounce_classification?: string
  ip?: string
  useragent?: string
  url?: string
  url_offset?: { index?: number; type?: string }
  sg_machine_open?: boolean
  sg_content_type?: string
  tls?: number | boolean | string
  cert_err?: number | boolean
  pool?: { name?: string; id?: string | number }
  send_at?: number | string
  [customArgument: string]: unknown
}

declare module '../../event.js' {
  interface RawEvents {
    sendgrid: SendgridEvent
  }
}

/** One entry of a batch as an event. */
export function readEvent(raw: Fields): ParsedEvent {
  const recipient = text(raw['email'])?.trim()
  const occurredAt = time(raw['timestamp'])
  const providerMessageId = messageIdOf(raw['sg_message_id'])
  const messageId = rfcMessageId(text(raw['smtp-id']) ?? '')
  const providerEventId = text(raw['sg_event_id'])
  // Documented as an object in places, seen flattened: both are read.
  const args = { ...fields(raw['custom_args']), ...fields(raw['unique_args']), ...raw }
  const own = ownId(args[ownIdKey])
  const nameless = providerMessageId === undefined && messageId === undefined && own === undefined
  const discriminator =
    nameless || !occurredAt ? contentOf(raw) : linkPosition(fields(raw['url_offset']))
  return {
    ...readFact(raw),
    providerEvent: text(raw['event']) ?? '',
    tags: texts(raw['category']),
    metadata: metadata(
      Object.fromEntries(Object.entries(args).filter(([key]) => !reservedKey(key))),
      ownIdKey,
    ),
    raw,
    ...(recipient !== undefined && { recipient }),
    ...(occurredAt && { occurredAt }),
    ...(providerMessageId !== undefined && { providerMessageId }),
    ...(messageId !== undefined && { messageId }),
    ...(providerEventId !== undefined && { providerEventId }),
    ...(own !== undefined && { ownId: own }),
    ...(discriminator !== undefined && { discriminator }),
  }
}

// By the name without case, spaces and underscores: documents also write `spam report` and
// `Processed`, and `spam_report` is widespread.
const facts = new Map<string, (raw: Fields) => EventFact>([
  ['processed', () => ({ type: 'accepted' })],
  ['deferred', (raw) => ({ type: 'deferred', ...smtpReply(raw) })],
  ['delivered', (raw) => ({ type: 'delivered', ...smtpReply(raw) })],
  ['bounce', (raw) => readBounce(raw, isAsynchronous(raw))],
  ['dropped', readDrop],
  ['open', (raw) => ({ type: 'opened', ...readVisit(raw) })],
  ['click', (raw) => ({ type: 'clicked', url: text(raw['url']) ?? '', ...readVisit(raw) })],
  ['spamreport', () => ({ type: 'complained' })],
  ['unsubscribe', () => ({ type: 'unsubscribed', scope: { kind: 'all' } })],
  ['groupunsubscribe', (raw) => ({ type: 'unsubscribed', scope: groupScope(raw) })],
  ['groupresubscribe', (raw) => ({ type: 'subscribed', scope: groupScope(raw) })],
])

function readFact(raw: Fields): EventFact {
  const name = text(raw['event'])
  if (name === undefined) return { type: 'unknown', error: 'it has no event name' }
  const read = facts.get(name.toLowerCase().replace(/[\s_-]/g, ''))
  return read === undefined ? { type: 'unknown' } : read(raw)
}

function smtpReply(raw: Fields): { response?: string; smtpCode?: number; attempt?: number } {
  // The documents name `reason` for deferrals, captures have `response`.
  const response = text(raw['response']) ?? text(raw['reason'])
  const { smtpCode } = smtpCodes(response)
  const attempt = wholeNumber(raw['attempt'])
  return {
    ...(response !== undefined && { response }),
    ...(smtpCode !== undefined && { smtpCode }),
    ...(attempt !== undefined && { attempt }),
  }
}

/** A bounce that came back after acceptance bears none of the message's ids (docs#5177). */
function isAsynchronous(raw: Fields): boolean {
  return messageIdOf(raw['sg_message_id']) === undefined && text(raw['smtp-id']) === undefined
}

function readVisit(raw: Fields): { ip?: string; userAgent?: string; machine?: boolean } {
  const ip = text(raw['ip'])
  const userAgent = text(raw['useragent'])
  const machine = flag(raw['sg_machine_open'])
  return {
    ...(ip !== undefined && { ip }),
    ...(userAgent !== undefined && { userAgent }),
    ...(machine !== undefined && { machine }),
  }
}

/**
 * What tells an entry apart that bears no id of a message, or no time: everything in it but the
 * event's id, which may be another one when it comes again (sendgrid-nodejs#1435).
 */
function contentOf({ sg_event_id: _eventId, ...content }: Fields): string {
  return contentDigest(content)
}

/** Where in the message a clicked link stands: two links of one message may be clicked at once. */
function linkPosition({ index, type }: Fields): string | undefined {
  const place = text(index)
  return place === undefined ? undefined : `${text(type) ?? ''} ${place}`
}

function groupScope(raw: Fields): { kind: 'group'; id?: string } {
  const id = text(raw['asm_group_id'])
  return id === undefined ? { kind: 'group' } : { kind: 'group', id }
}

/**
 * The message's id, which is the `X-Message-Id` of the send call: what stands before the name of
 * the handling server. That name has changed over the years, and old ids have dots of their own.
 */
export function messageIdOf(sgMessageId: unknown): string | undefined {
  const whole = text(sgMessageId)?.trim()
  if (whole === undefined || /^(?:filter|recvd|stfilter)/.test(whole)) return undefined
  const server = /\.(?:filter|recvd|stfilter)/.exec(whole)
  const id = server ? whole.slice(0, server.index) : whole.split('.')[0]
  return id === '' ? undefined : id
}
