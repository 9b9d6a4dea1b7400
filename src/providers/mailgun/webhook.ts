import type { BounceKind, EventFact, ParsedEvent, RejectReason } from '../../event.js'
import { bareMessageId, contentDigest, ownId, ownIdKey, rfcMessageId } from '../../matching.js'
import {
  type Fields,
  fields,
  flag,
  isFields,
  metadata,
  readEach,
  smtpCodes,
  text,
  texts,
  time,
  wholeNumber,
} from '../../payload.js'
import type { Webhook, WebhookReading, WebhookRequest } from '../../provider.js'
import { type KeySource, signingKeys } from '../../signing-keys.js'
import { type MailgunSignature, verifySignature } from './signature.js'

/** The `event-data` of a webhook. Mailgun adds fields at any time, and any of them may be null. */
export interface MailgunEvent {
  event?: string
  id?: string
  /** Unix time in seconds, with microseconds. */
  timestamp?: number
  'log-level'?: string
  severity?: string | null
  reason?: string | null
  recipient?: string | null
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
  ip?: string | null
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
  url?: string | null
  /** In place of variables that are too large stands a sentence that says so. */
  'user-variables'?: Record<string, unknown> | string | null
  tags?: string[] | null
  campaigns?: { id?: string; name?: string }[] | null
  'mailing-list'?: { address?: string; 'list-id'?: string; sid?: string } | null
  batch?: { id?: string } | null
  template?: { name?: string; version?: string } | null
  'primary-dkim'?: string | null
  method?: string | null
  'originating-ip'?: string | null
  'api-key-id'?: string | null
  account?: { id?: string } | null
  domain?: { name?: string } | null
  [field: string]: unknown
}

declare module '../../event.js' {
  interface RawEvents {
    mailgun: MailgunEvent
  }
}

export interface MailgunWebhookOptions {
  /** The account's HTTP webhook signing key (not an API key), one or several. */
  signingKey: KeySource
  /** The end of the path, for a second account or region; default `mailgun`. */
  name?: string
}

/**
 * Mailgun's webhooks, one event in each.
 *
 * @throws ConfigurationError when the key is missing.
 */
export function mailgunWebhook({ signingKey, name = 'mailgun' }: MailgunWebhookOptions): Webhook {
  const keys = signingKeys('mailgunWebhook: signingKey', signingKey, (key) => key.trim())
  return {
    provider: 'mailgun',
    name,
    maxBodyBytes: 1024 * 1024,
    // Only 200 and 406 keep it from coming again for 8 h (mailgun-php#658).
    answers: { stored: 200, forged: 406, malformed: 406 },
    read: async (request) => readWebhook(request, await keys(), name),
  }
}

function readWebhook(request: WebhookRequest, keys: string[], name: string): WebhookReading {
  const contentType = request.header('content-type') ?? ''
  if (/^(?:multipart\/form-data|application\/x-www-form-urlencoded)/i.test(contentType.trim())) {
    return {
      kind: 'refused',
      reason: 'unsupported',
      detail: `the content type is ${JSON.stringify(contentType.slice(0, 80))}: legacy webhooks are not read, set up a webhook of the current kind, which is JSON`,
    }
  }
  const body = parseObject(request.body)
  if (body === undefined) {
    return { kind: 'refused', reason: 'malformed', detail: 'the body is not a JSON object' }
  }
  const signed = readSignature(body['signature'])
  if (signed === undefined) {
    return {
      kind: 'refused',
      reason: 'unsigned',
      detail: 'the body has no signature with timestamp, token and signature',
    }
  }
  if (!keys.some((key) => verifySignature(key, signed))) {
    return {
      kind: 'refused',
      reason: 'bad-signature',
      detail:
        'the signature fits none of the signing keys: the HTTP webhook signing key is asked for, which is not the API key, and every account has its own',
    }
  }
  const entry = body['event-data']
  if (!isFields(entry)) {
    return { kind: 'refused', reason: 'malformed', detail: 'the body has no event-data' }
  }
  return {
    kind: 'events',
    events: readEach([entry], readEvent),
    // The signature does not cover the event. A retry brings the same token with the same event;
    // the same token with another event is a forgery. Nothing parts timestamp and token in what is
    // signed, so they count as one: a digit could be moved from one to the other.
    nonce: {
      token: `${name}:${signed.timestamp}${signed.token}`,
      content: digestOf(entry, request.body),
    },
  }
}

/** Of the event, or of the bytes where it is nested too deeply to be written as JSON again. */
function digestOf(entry: Fields, body: Buffer): string {
  try {
    return contentDigest(entry)
  } catch {
    return contentDigest(body.toString('latin1'))
  }
}

function parseObject(body: Buffer): Fields | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return isFields(value) ? value : undefined
  } catch {
    return undefined
  }
}

function readSignature(value: unknown): MailgunSignature | undefined {
  const block = fields(value)
  const timestamp = text(block['timestamp'])
  const token = text(block['token'])
  const signature = text(block['signature'])
  const parentSignature = text(block['parent-signature'])
  if (timestamp === undefined || !/^\d+$/.test(timestamp)) return undefined
  if (token === undefined || signature === undefined) return undefined
  return { timestamp, token, signature, ...(parentSignature !== undefined && { parentSignature }) }
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

// What Mailgun's own lists stopped, by reason and by internal code: nothing was tried.
const suppressions = new Map<string, RejectReason>([
  ['suppress-bounce', 'bounced'],
  ['605', 'bounced'],
  ['suppress-unsubscribe', 'unsubscribed'],
  ['606', 'unsubscribed'],
  ['suppress-complaint', 'spam'],
  ['607', 'spam'],
  ['625', 'blocked'],
])

function readFailure(raw: Fields): EventFact {
  const status = fields(raw['delivery-status'])
  const reason = text(raw['reason']) ?? ''
  const code = text(status['code']) ?? ''
  const response = readResponse(status)
  const suppressed = suppressions.get(reason) ?? suppressions.get(code)
  if (suppressed !== undefined) {
    return {
      type: 'rejected',
      reason: suppressed,
      ...(response !== undefined && { detail: response }),
    }
  }
  // Retries are over, whatever the severity says.
  const expired = reason === 'old' || code === '602'
  if (!expired && isTemporary(text(raw['severity']), reason, status)) {
    return { type: 'deferred', ...smtpReply(raw) }
  }
  const codes = readCodes(status)
  return {
    type: 'bounced',
    bounce: {
      kind: expired ? 'soft' : bounceKind(reason, text(status['bounce-type']), codes),
      asynchronous: flag(fields(raw['flags'])['is-delayed-bounce']) ?? false,
      ...codes,
    },
    ...(response !== undefined && { response }),
  }
}

/** By reason and codes where no severity says it: mailgun-go knows others than these two. */
function isTemporary(severity: string | undefined, reason: string, status: Fields): boolean {
  const word = severity?.toLowerCase()
  if (word === 'temporary' || word === 'permanent') return word === 'temporary'
  if (reason === 'greylisted') return true
  const { enhancedCode } = readCodes(status)
  return (enhancedCode ?? text(status['code']))?.startsWith('4') ?? false
}

function bounceKind(
  reason: string,
  bounceType: string | undefined,
  { smtpCode, enhancedCode }: { smtpCode?: number; enhancedCode?: string },
): BounceKind {
  if (reason === 'espblock' || reason === 'blacklisted') return 'block'
  if (bounceType === 'hard' || bounceType === 'soft') return bounceType
  if (enhancedCode?.startsWith('5.7.')) return 'block'
  if (reason === 'bounce' || reason === 'hardfail' || enhancedCode?.startsWith('5.')) return 'hard'
  if (enhancedCode?.startsWith('4.')) return 'soft'
  if (smtpCode === undefined) return 'unknown'
  return smtpCode >= 500 ? 'hard' : 'soft'
}

function smtpReply(raw: Fields): { response?: string; smtpCode?: number; attempt?: number } {
  const status = fields(raw['delivery-status'])
  const response = readResponse(status)
  const { smtpCode } = readCodes(status)
  const attempt = wholeNumber(status['attempt-no'])
  return {
    ...(response !== undefined && { response }),
    ...(smtpCode !== undefined && { smtpCode }),
    ...(attempt !== undefined && { attempt }),
  }
}

function readResponse(status: Fields): string | undefined {
  return text(status['message']) ?? text(status['description'])
}

function readCodes(status: Fields): { smtpCode?: number; enhancedCode?: string } {
  const code = wholeNumber(status['code'])
  // 498 and 499 (no MX, no connection) and everything from 600 are Mailgun's own.
  const smtpCode = code !== undefined && code >= 200 && code < 600 && code !== 498 && code !== 499
  const named = text(status['enhanced-code']) ?? text(status['bounce-code'])
  // Older events have the enhanced code in place of the other.
  const { enhancedCode = smtpCodes(text(status['code'])).enhancedCode } = smtpCodes(
    named ?? text(status['message']),
  )
  return {
    ...(smtpCode && { smtpCode: code }),
    ...(enhancedCode !== undefined && { enhancedCode }),
  }
}

function readRejection(raw: Fields): EventFact {
  const { reason, description } = fields(raw['reject'])
  const detail = text(reason) ?? text(description)
  return { type: 'rejected', reason: 'other', ...(detail !== undefined && { detail }) }
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
