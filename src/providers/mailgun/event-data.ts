import type { EventFact, ParsedEvent } from '../../event.js'
import { bareMessageId, contentDigest, ownId, ownIdKey, rfcMessageId } from '../../matching.js'
import { type Fields, fields, flag, metadata, text, texts, time } from '../../payload.js'
import { readFailure, readRejection, smtpReply } from './undelivered.js'

/** A field of a form from before 2018; it is a list where a variable of the message has its name too. */
export type PostedField = string | string[]

/**
 * The `event-data` of a webhook, or the fields of a form as it was posted before 2018. Mailgun adds
 * fields at any time, and any of them may be null.
 */
export interface MailgunEvent {
  event?: PostedField
  id?: string
  /** Unix time in seconds, with microseconds; in whole seconds, as text, in a form. */
  timestamp?: number | PostedField
  'log-level'?: string
  severity?: string | null
  reason?: PostedField | null
  recipient?: PostedField | null
  'recipient-domain'?: string | null
  'recipient-provider'?: string | null
  message?: {
    headers?: { to?: string; from?: string; subject?: string; 'message-id'?: string }
    attachments?: { filename?: string; 'content-type'?: string; size?: number }[]
    recipients?: string[]
    size?: number
    'scheduled-for'?: string | number
  } | null
  envelope?: { sender?: string; targets?: string; transport?: string; 'sending-ip'?: string } | null
  flags?: Record<string, boolean | null> | null
  'delivery-status'?: {
    /** The SMTP reply code; 498, 499 and those from 600 on are Mailgun's own. */
    code?: number | string
    message?: string | null
    description?: string | null
    'attempt-no'?: number
    'enhanced-code'?: string
    'bounce-code'?: string
    'bounce-type'?: string
    'mx-host'?: string
    'mx-host-ip'?: string
    'session-seconds'?: number
    'first-delivery-attempt-seconds'?: number
    'retry-seconds'?: number
    'last-code'?: number
    'last-message'?: string
    tls?: boolean
    utf8?: boolean
    'certificate-verified'?: boolean
  } | null
  reject?: { reason?: string; description?: string } | null
  storage?: { key?: string; url?: string | string[]; region?: string; env?: string } | null
  ip?: PostedField | null
  geolocation?: { country?: string; region?: string; city?: string; timezone?: string } | null
  'client-info'?: {
    'client-name'?: string
    'client-os'?: string
    'client-type'?: string
    'device-type'?: string
    'user-agent'?: string
    /** Empty for a person; `apple`, `gmail` or `generic` for their proxies and other bots. */
    bot?: string
  } | null
  url?: PostedField | null
  /** In place of variables that are too large stands a sentence that says so. */
  'user-variables'?: Record<string, unknown> | string | null
  tags?: string[] | null
  campaigns?: { id?: string; name?: string }[] | null
  'mailing-list'?: { address?: string; 'list-id'?: string; sid?: string } | PostedField | null
  batch?: { id?: string } | null
  template?: { name?: string; version?: string } | null
  'primary-dkim'?: string | null
  method?: string | null
  'originating-ip'?: string | null
  'api-key-id'?: string | null
  account?: { id?: string } | null
  /** In a form the name alone. */
  domain?: { name?: string } | PostedField | null
  // From here on only in forms, where variables of the message stand beside them.
  'Message-Id'?: PostedField
  'message-id'?: PostedField
  /** JSON: pairs of name and value. */
  'message-headers'?: PostedField
  'X-Mailgun-Sid'?: PostedField
  'X-Mailgun-Tag'?: PostedField
  tag?: PostedField
  code?: PostedField
  error?: PostedField
  notification?: PostedField
  description?: PostedField
  country?: PostedField
  region?: PostedField
  city?: PostedField
  'user-agent'?: PostedField
  'device-type'?: PostedField
  'client-type'?: PostedField
  'client-name'?: PostedField
  'client-os'?: PostedField
  'campaign-id'?: PostedField
  'campaign-name'?: PostedField
  'attachment-count'?: PostedField
  [field: string]: unknown
}

declare module '../../event.js' {
  interface RawEvents {
    mailgun: MailgunEvent
  }
}

/** One `event-data` as an event. */
export function readEvent(raw: Fields): ParsedEvent {
  const headers = fields(fields(raw['message'])['headers'])
  const recipient = readRecipient(raw, headers)
  const occurredAt = time(raw['timestamp'])
  const bareId = bareMessageId(text(headers['message-id']) ?? '')
  const messageId = bareId === undefined ? undefined : rfcMessageId(bareId)
  const providerEventId = text(raw['id'])
  const variables = raw['user-variables']
  const own = ownId(fields(variables)[ownIdKey])
  const ours = isOutgoing(fields(raw['flags']))
  const identified = ours && (bareId !== undefined || own !== undefined) && occurredAt !== undefined
  return {
    ...readFact(raw),
    providerEvent: text(raw['event']) ?? '',
    tags: texts(raw['tags']),
    metadata: metadata(variables, ownIdKey),
    raw,
    ...(recipient !== undefined && { recipient }),
    ...(occurredAt && { occurredAt }),
    ...(providerEventId !== undefined && { providerEventId }),
    ...(!identified && { discriminator: contentDigest(raw) }),
    ...(ours && {
      ...(bareId !== undefined && { providerMessageId: bareId }),
      ...(messageId !== undefined && { messageId }),
      ...(own !== undefined && { ownId: own }),
    }),
  }
}

/**
 * False for mail that Mailgun received and routed on: it is told at the same URL, under the ids of
 * the message that came in, which may be one of ours.
 */
function isOutgoing(flags: Fields): boolean {
  return flag(flags['is-routed']) !== true && flag(flags['is-authenticated']) !== false
}

const facts = new Map<string, (raw: Fields) => EventFact>([
  ['accepted', () => ({ type: 'accepted' })],
  ['delivered', (raw) => ({ type: 'delivered', ...smtpReply(raw) })],
  ['failed', readFailure],
  ['rejected', readRejection],
  ['opened', (raw) => ({ type: 'opened', ...readVisit(raw) })],
  ['clicked', (raw) => ({ type: 'clicked', url: text(raw['url']) ?? '', ...readVisit(raw) })],
  ['complained', () => ({ type: 'complained' })],
  ['unsubscribed', readUnsubscription],
])

function readFact(raw: Fields): EventFact {
  const name = text(raw['event'])
  if (name === undefined) return { type: 'unknown', error: 'it has no event name' }
  const read = facts.get(name.toLowerCase())
  return read === undefined ? { type: 'unknown' } : read(raw)
}

function readVisit(raw: Fields): { ip?: string; userAgent?: string; machine?: boolean } {
  const client = fields(raw['client-info'])
  const ip = text(raw['ip'])
  const userAgent = text(client['user-agent'])
  const bot = client['bot']
  return {
    ...(ip !== undefined && { ip }),
    ...(userAgent !== undefined && { userAgent }),
    ...(typeof bot === 'string' && { machine: bot !== '' }),
  }
}

function readUnsubscription(raw: Fields): EventFact {
  const list = text(fields(raw['mailing-list'])['address'])
  const scope = list === undefined ? { kind: 'all' as const } : { kind: 'list' as const, id: list }
  return { type: 'unsubscribed', scope }
}

/** Rejections name no recipient, so a single addressee stands in. */
function readRecipient(raw: Fields, headers: Fields): string | undefined {
  const named = text(raw['recipient'])?.trim()
  if (named !== undefined) return named
  const listed = texts(fields(raw['message'])['recipients'])
  if (listed.length > 0) return listed.length === 1 ? listed[0] : undefined
  // A comma in a name stands in quotes.
  const to = text(headers['to'])?.replace(/"(?:\\.|[^"\\])*"/g, '')
  // Several, or a group, which may be empty.
  if (to === undefined || /[,:;]/.test(to)) return undefined
  return text(/<([^<>]+)>/.exec(to)?.[1] ?? to)?.trim()
}
