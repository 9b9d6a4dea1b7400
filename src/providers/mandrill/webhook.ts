import { ConfigurationError } from '../../errors.js'
import type { EventFact, ParsedEvent, RejectReason } from '../../event.js'
import { contentDigest, ownId, ownIdKey } from '../../matching.js'
import {
  type Fields,
  fields,
  metadata,
  readEach,
  smtpCodes,
  text,
  texts,
  time,
} from '../../payload.js'
import type { Webhook, WebhookReading, WebhookRequest } from '../../provider.js'
import { type KeySource, signingKeys } from '../../signing-keys.js'
import { signatureHeader, testKey, verifySignature } from './signature.js'

/** The message of an event. Fields are absent or null in events of old messages. */
export interface MandrillMessage {
  _id?: string
  _version?: string | number | null
  ts?: number | null
  state?: string | null
  subject?: string | null
  email?: string | null
  sender?: string | null
  tags?: string[] | null
  opens?: { ts?: number; ip?: string; location?: string; ua?: string }[] | null
  clicks?: { ts?: number; url?: string; ip?: string; location?: string; ua?: string }[] | null
  smtp_events?:
    | {
        ts?: number
        type?: string
        diag?: string
        source_ip?: string
        destination_ip?: string
        size?: number
      }[]
    | null
  resends?: unknown[] | null
  /** An empty one comes as an empty list. */
  metadata?: Record<string, unknown> | [] | null
  template?: string | null
  subaccount?: string | null
  reject?: { reason?: string; last_event_at?: string } | null
  bounce_description?: string
  bgtools_code?: number
  diag?: string
  [field: string]: unknown
}

/** An entry of `mandrill_events`: a message event has `event`, a sync event `type` and `action`. */
export interface MandrillEvent {
  event?: string
  _id?: string
  ts?: number | string | null
  msg?: MandrillMessage | [] | null
  diag?: string
  ip?: string | null
  url?: string
  user_agent?: string | null
  user_agent_parsed?: Record<string, unknown> | null
  location?: Record<string, unknown> | null
  type?: string
  action?: string
  reject?: Record<string, unknown>
  entry?: Record<string, unknown>
  [field: string]: unknown
}

declare module '../../event.js' {
  interface RawEvents {
    mandrill: MandrillEvent
  }
}

export interface MandrillWebhookOptions {
  /**
   * The webhook's key, one or several. Mandrill shows it only after it has tried the URL: until
   * then, `test-webhook` lets that trial through and nothing else.
   */
  key: KeySource
  /**
   * The URL exactly as it was entered in Mandrill, with its query and its trailing slash, for it
   * is part of what is signed.
   */
  url: string
  /** The end of the path, for a second account; default `mandrill`. */
  name?: string
}

/**
 * Mandrill's webhooks.
 *
 * @throws ConfigurationError when the key or the URL is missing.
 */
export function mandrillWebhook({ key, url, name = 'mandrill' }: MandrillWebhookOptions): Webhook {
  const keys = signingKeys('mandrillWebhook: key', key, (given) => given.trim())
  if (typeof url !== 'string' || !/^https?:\/\//.test(url)) {
    throw new ConfigurationError(
      `mandrillWebhook: url is ${url ? 'no http or https URL' : 'missing'}: give the URL exactly as it was entered in Mandrill, for it is part of what is signed`,
    )
  }
  return {
    provider: 'mandrill',
    name,
    // 1,000 events of up to 4 KB, which grow in a form.
    maxBodyBytes: 32 * 1024 * 1024,
    // Any status but 200 brings the batch again, 20 times, and then turns the webhook off.
    answers: { stored: 200, forged: 403, malformed: 400 },
    read: (request) => readBatch(request, keys, url),
  }
}

async function readBatch(
  request: WebhookRequest,
  keys: () => Promise<string[]>,
  url: string,
): Promise<WebhookReading> {
  const contentType = request.header('content-type') ?? ''
  if (!/^application\/x-www-form-urlencoded/i.test(contentType.trim())) {
    return {
      kind: 'refused',
      reason: 'unsupported',
      detail: `the content type is ${JSON.stringify(contentType.slice(0, 80))}, and Mandrill posts a form`,
    }
  }
  const signature = request.header(signatureHeader)
  if (signature === undefined) {
    return {
      kind: 'refused',
      reason: 'unsigned',
      detail: `the header ${signatureHeader} is missing`,
    }
  }
  const form = [...new URLSearchParams(request.body.toString('utf8'))]
  if (new Set(form.map(([name]) => name)).size < form.length) {
    return { kind: 'refused', reason: 'malformed', detail: 'the form repeats a parameter' }
  }
  const json = form.find(([name]) => name === 'mandrill_events')?.[1]
  if (json === undefined) {
    return { kind: 'refused', reason: 'malformed', detail: 'the form has no mandrill_events' }
  }
  const isBy = (key: string): boolean => verifySignature(key, url, form, signature)
  // Everybody knows the key of the trial post, so it is good for an empty batch alone. That comes
  // before the webhook exists, so the other keys may not be there yet.
  const trial = json === '[]' && isBy(testKey)
  if (!trial && !(await keys()).some((key) => key !== testKey && isBy(key))) {
    return {
      kind: 'refused',
      reason: 'bad-signature',
      detail:
        'the signature fits none of the keys with this URL: every webhook has a key of its own, and the URL must be the one entered in Mandrill to the letter (https or http, port, path, trailing slash, query)',
    }
  }
  let entries: unknown
  try {
    entries = JSON.parse(json)
  } catch {
    return { kind: 'refused', reason: 'malformed', detail: 'mandrill_events is not JSON' }
  }
  if (!Array.isArray(entries)) {
    return { kind: 'refused', reason: 'malformed', detail: 'mandrill_events is not a JSON array' }
  }
  return { kind: 'events', events: readEach(entries, readEvent) }
}

/** One entry of a batch as an event. */
export function readEvent(raw: Fields): ParsedEvent {
  return text(raw['event']) === undefined && text(raw['type']) !== undefined
    ? readSyncEvent(raw)
    : readMessageEvent(raw)
}

function readMessageEvent(raw: Fields): ParsedEvent {
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
  return {
    type: 'bounced',
    bounce: {
      kind,
      // The receiving server had taken it before, so this came back as a bounce mail.
      asynchronous: smtpEvents(message).some(({ type }) => type === 'sent' || type === 'delivered'),
      ...smtpCodes(response),
    },
    ...(response !== undefined && { response }),
  }
}

function smtpEvents(message: Fields): Fields[] {
  const events = message['smtp_events']
  return Array.isArray(events) ? events.map(fields) : []
}

// By the reason with hyphens; older documents wrote underscores.
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
  const reason = rejectReasons.get(detail?.replaceAll('_', '-') ?? '') ?? 'other'
  return { type: 'rejected', reason, ...(detail !== undefined && { detail }) }
}

function readVisit(raw: Fields): { ip?: string; userAgent?: string } {
  const ip = text(raw['ip'])
  const userAgent = text(raw['user_agent'])
  return {
    ...(ip !== undefined && { ip }),
    ...(userAgent !== undefined && { userAgent }),
  }
}

// The names changed over the years (blacklist, denylist); webhooks kept the old ones.
const lists = new Map<string, 'reject' | 'allow'>([
  ['blacklist', 'reject'],
  ['denylist', 'reject'],
  ['blocklist', 'reject'],
  ['whitelist', 'allow'],
  ['allowlist', 'allow'],
  ['safelist', 'allow'],
])

const actions = new Map<string, 'added' | 'changed' | 'removed'>([
  ['add', 'added'],
  ['change', 'changed'],
  ['remove', 'removed'],
])

function readSyncEvent(raw: Fields): ParsedEvent {
  const occurredAt = time(raw['ts'])
  const entry = { ...fields(raw['entry']), ...fields(raw['reject']) }
  const address = text(entry['email'])?.trim()
  // An address can be on several lists: the account's, a subaccount's, and one sender's.
  const owner = [entry['subaccount'], entry['sender']].flatMap((value) => text(value) ?? [])
  return {
    ...readSuppression(raw, entry, address),
    // Djrill's name for it.
    providerEvent: `${text(raw['type']) ?? ''}_${text(raw['action']) ?? ''}`,
    tags: [],
    metadata: {},
    raw,
    ...(address !== undefined && { recipient: address }),
    ...(occurredAt && { occurredAt }),
    ...(owner.length > 0 && { discriminator: owner.join(' ') }),
  }
}

function readSuppression(raw: Fields, entry: Fields, address: string | undefined): EventFact {
  const list = lists.get(text(raw['type']) ?? '')
  const action = actions.get(text(raw['action']) ?? '')
  if (list === undefined || action === undefined) return { type: 'unknown' }
  if (address === undefined) return { type: 'unknown', error: 'it names no address' }
  const reason = text(entry['reason'])
  const expiresAt = utcTime(text(entry['expires_at']))
  return {
    type: 'suppression',
    list,
    action,
    address,
    ...(reason !== undefined && { reason }),
    ...(expiresAt && { expiresAt }),
  }
}

/** `2026-01-01 00:00:05`, which is UTC. */
function utcTime(value: string | undefined): Date | undefined {
  const [, day, clock] = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)$/.exec(value ?? '') ?? []
  const date = new Date(`${day}T${clock}Z`)
  return Number.isNaN(date.getTime()) ? undefined : date
}
