import { basicAuth, type BounceKind, type EventFact, type KeySource } from 'mailtrail'
import type { ParsedEvent, Webhook, WebhookOptions, WebhookReading } from 'mailtrail'
import { checkedWebhookOptions, type Fields, fields, isoTime, metadata } from 'mailtrail/provider'
import { ownId, ownIdKey, parseJson, readEach, requiredOption } from 'mailtrail/provider'
import { smtpCodes, text, texts } from 'mailtrail/provider'

export interface PostmarkWebhookOptions extends WebhookOptions {
  /** The user in the webhook's URL; default `postmark`. */
  user?: string
  /** The password there; default `POSTMARK_WEBHOOK_PASSWORD` of the environment. */
  password?: KeySource
}

declare module 'mailtrail' {
  interface RawEvents {
    postmark: Fields
  }
}

const usual = {
  name: 'postmark',
  // 403 ends all retries, and a wrong password may be put right before the last of them.
  answers: { denied: 401, malformed: 403 },
  // The dump of a bounce may be in it.
  maxBodyBytes: 5 * 1024 * 1024,
}

/**
 * Postmark's webhooks. They bear no signature: who knows the password is believed. Set them up as
 * `https://postmark:<password>@example.com/…` (Webhooks overview, Protecting your webhook).
 *
 * @throws ConfigurationError when the password is missing, or an option is wrong
 */
export function postmarkWebhook(options: PostmarkWebhookOptions = {}): Webhook {
  const name = 'postmarkWebhook'
  const { user = 'postmark', password: given } = options
  const password = given ?? requiredOption(name, 'password', given, 'POSTMARK_WEBHOOK_PASSWORD')
  const guards = [basicAuth(user, password), ...(options.guards ?? [])]
  return {
    provider: 'postmark',
    ...checkedWebhookOptions(name, { ...options, guards }, usual),
    read: async ({ body }) => readPost(body.toString('utf8')),
  }
}

function readPost(json: string): WebhookReading {
  const entry = parseJson(json)
  return entry === undefined
    ? { kind: 'refused', reason: 'malformed', detail: 'the body is not JSON' }
    : { kind: 'events', events: readEach([entry], readEvent) }
}

function readEvent(raw: Fields): ParsedEvent {
  const { DeliveredAt, BouncedAt, ReceivedAt, ChangedAt } = raw
  const occurredAt = isoTime(DeliveredAt ?? BouncedAt ?? ReceivedAt ?? ChangedAt)
  const recipient = text(raw['Recipient']) ?? text(raw['Email'])
  const providerMessageId = text(raw['MessageID'])
  const own = ownId(fields(raw['Metadata'])[ownIdKey])
  // The same link may stand in the HTML and in the text.
  const discriminator = text(raw['ClickLocation'])
  return {
    ...(facts.get(raw['RecordType'])?.(raw) ?? { type: 'unknown' }),
    providerEvent: text(raw['RecordType']) ?? '',
    tags: texts(raw['Tag']),
    metadata: metadata(raw['Metadata'], ownIdKey),
    raw,
    ...(occurredAt && { occurredAt }),
    ...(recipient !== undefined && { recipient }),
    ...(providerMessageId !== undefined && { providerMessageId }),
    ...(own !== undefined && { ownId: own }),
    ...(discriminator !== undefined && { discriminator }),
  }
}

const facts = new Map<unknown, (raw: Fields) => EventFact>([
  ['Delivery', (raw) => ({ type: 'delivered', ...smtpReply(raw) })],
  ['Bounce', readBounce],
  ['SpamComplaint', () => ({ type: 'complained' })],
  ['Open', (raw) => ({ type: 'opened', ...visit(raw) })],
  ['Click', (raw) => ({ type: 'clicked', url: text(raw['OriginalLink']) ?? '', ...visit(raw) })],
  ['SubscriptionChange', readChange],
])

function smtpReply(raw: Fields): { response?: string; smtpCode?: number } {
  const response = text(raw['Details'])
  const { smtpCode } = smtpCodes(response)
  return { ...(response && { response }), ...(smtpCode && { smtpCode }) }
}

function visit(raw: Fields): { ip?: string; userAgent?: string } {
  const [ip, userAgent] = [text(fields(raw['Geo'])['IP']), text(raw['UserAgent'])]
  return { ...(ip && { ip }), ...(userAgent && { userAgent }) }
}

// Bounce types (Bounce API); what is not here says nothing of delivery, as AutoResponder.
const kinds = { HardBounce: 'hard', SoftBounce: 'soft', Unknown: 'unknown' } as const
const blocks = { Blocked: 'block', DMARCPolicy: 'block', SpamNotification: 'block' } as const
const bounces = new Map<unknown, BounceKind>(Object.entries({ ...kinds, ...blocks }))

function readBounce(raw: Fields): EventFact {
  const { Type } = raw
  const reply = smtpReply(raw)
  if (Type === 'Transient' || Type === 'DnsError') return { type: 'deferred', ...reply }
  if (Type === 'BadEmailAddress') return { type: 'rejected', reason: 'invalid' }
  if (Type === 'ManuallyDeactivated') return { type: 'rejected', reason: 'blocked' }
  const kind = bounces.get(Type)
  if (kind === undefined) return { type: 'unknown' }
  const { response } = reply
  // Whether it came after acceptance Postmark does not say.
  const bounce = { kind, asynchronous: false, ...smtpCodes(response) }
  return { type: 'bounced', bounce, ...(response && { response }) }
}

/** A hard bounce and a complaint are told as such too; the list is that of one stream. */
function readChange(raw: Fields): EventFact {
  const suppressed = raw['SuppressSending'] === true
  const scope = { kind: 'group', id: text(raw['MessageStream']) ?? 'outbound' } as const
  const reason = text(raw['SuppressionReason'])
  if (suppressed && reason === 'ManualSuppression' && raw['Origin'] === 'Recipient') {
    return { type: 'unsubscribed', scope }
  }
  const action = suppressed ? 'added' : 'removed'
  const address = text(raw['Recipient']) ?? ''
  return { type: 'suppression', list: 'reject', action, address, scope, ...(reason && { reason }) }
}
