import { domainToASCII, domainToUnicode } from 'node:url'
import { validate } from 'uuid'
import type { AnyEvent, InboundMail, MatchedVia, ParsedEvent } from './event.js'
import { fromBytes, sha256, timedId, toBytes } from './ids.js'
import type { MessageRecord } from './message.js'
import type { IncomingEvent, MatchKey, MessageKey } from './store.js'

/** The name under which our id of a message travels: a custom argument, user variable or metadata. */
export const ownIdKey = 'mailtrail_id'

/**
 * The one form in which an address is compared: bare, lower case, its domain in punycode.
 * Letter case in the local part is kept apart by no provider, and lost by some.
 */
export function canonicalAddress(address: string): string {
  const lower = storable(bareAddress(address).toLowerCase())
  const at = lower.lastIndexOf('@')
  if (at < 0 || !/[\u0080-\uffff]/.test(lower)) return lower
  const domain = lower.slice(at + 1)
  return `${lower.slice(0, at)}@${domainToASCII(domain) || domain}`
}

/** An address as it may be written elsewhere: as it was given, and with its domain in letters of its own. */
export function writtenForms(address: string): string[] {
  const canonical = canonicalAddress(address)
  const at = canonical.lastIndexOf('@')
  const spoken = domainToUnicode(canonical.slice(at + 1))
  return [bareAddress(address), ...(spoken === '' ? [] : [`${canonical.slice(0, at)}@${spoken}`])]
}

/** An address without a name before it. */
function bareAddress(address: string): string {
  return (/<([^<>]*)>\s*$/.exec(address)?.[1] ?? address).trim()
}

/** Text as every store gives it back: some end it at a NUL, and none keeps half a character. */
function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\uFFFD')
}

/** A Message-ID without its brackets; letter case matters in it. Undefined when nothing is left. */
export function bareMessageId(messageId: string): string | undefined {
  const bare = messageId.trim().replace(/^<|>$/g, '').trim()
  return bare === '' ? undefined : bare
}

/** A Message-ID as RFC 5322 writes it, whether or not it came with brackets. */
export function rfcMessageId(messageId: string): string | undefined {
  const bare = bareMessageId(messageId)
  return bare === undefined ? undefined : `<${bare}>`
}

/** Our id as it came back from a provider, if it can be one: anybody may have put anything there. */
export function ownId(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const id = value.trim().toLowerCase()
  return validate(id) ? id : undefined
}

/**
 * The id of an event, by its natural key: what happened, to whom, when. The provider's event id
 * takes no part, for it may change between two deliveries of one fact (sendgrid-nodejs#1435).
 */
export function eventId(provider: string, event: ParsedEvent): string {
  // Of an inbound mail a provider tells when it posts it, which another post may tell otherwise.
  const at = event.type === 'inbound' ? event.mail.date?.getTime() : timeOf(event)
  const key = [
    provider,
    (event.type === 'inbound' ? event.messageId : undefined) ??
      event.providerMessageId ??
      event.messageId ??
      event.ownId ??
      '',
    event.recipient === undefined ? '' : canonicalAddress(event.recipient),
    event.type,
    event.providerEvent,
    event.discriminator ?? '',
    ...distinguishing(event),
  ]
  return timedId(inRange(at) ?? 0, JSON.stringify(key))
}

// Ids of one provider are unique by themselves, so a coarse time serves: it only keeps the index
// growing at one end, and a redelivery whose time was rounded otherwise still meets the first. A day is
// a multiple of it: where days have tables of their own, a key lies in that of its event.
const providerKeyBucket = 960_000

/** The provider's event id as a key; Mailgun's are unique within a day, a domain and an event name. */
export function providerKey(provider: string, event: ParsedEvent): string | undefined {
  if (event.providerEventId === undefined) return undefined
  const at = timeOf(event) ?? 0
  const key = [
    provider,
    event.providerEvent,
    event.providerEventId,
    event.providerMessageId ?? event.messageId ?? '',
  ]
  return timedId(at - (at % providerKeyBucket), JSON.stringify(key))
}

/**
 * The ways to find an event's message, the most trusted first.
 *
 * @param providers those whose messages an inbound mail may answer; its own is always one of them
 */
export function matchKeys(
  provider: string,
  event: ParsedEvent,
  providers: ReadonlySet<string> = new Set(),
): MatchKey[] {
  const keys: MatchKey[] = []
  if (event.ownId !== undefined) keys.push({ via: 'own-id', key: byOwnId(event.ownId) })
  if (event.providerMessageId !== undefined) {
    keys.push({ via: 'provider-id', key: byProviderId(provider, event.providerMessageId) })
  }
  if (event.type === 'inbound') return [...keys, ...answeredKeys(provider, event.mail, providers)]
  const messageId = event.messageId === undefined ? undefined : bareMessageId(event.messageId)
  if (messageId !== undefined) {
    keys.push({ via: 'message-id', key: byMessageId(provider, messageId) })
  }
  return keys
}

/** What an inbound mail answers may have gone out through any provider. */
function answeredKeys(
  provider: string,
  mail: InboundMail,
  providers: ReadonlySet<string>,
): MatchKey[] {
  const senders = [...new Set([provider, ...providers])]
  const ids = answeredIds(mail).flatMap((id) => bareMessageId(id) ?? [])
  return ids.flatMap((id) =>
    senders.flatMap((sender): MatchKey[] => [
      { via: 'message-id', key: byMessageId(sender, id) },
      // Where a provider's id is the Message-ID, mail that was sent by other means has only that.
      { via: 'provider-id', key: byProviderId(sender, id) },
    ]),
  )
}

/** Threads grow long; what is answered is at the end of it. */
const mostReferences = 20

/** The mails that a mail answers, the nearest first. */
function answeredIds({ inReplyTo, references }: InboundMail): string[] {
  const nearest = references.toReversed().slice(0, mostReferences)
  return [...new Set(inReplyTo === undefined ? nearest : [inReplyTo, ...nearest])]
}

/** A receiving server's clock may be ahead of ours, in ms. */
const clockSkew = 5 * 60_000

/**
 * An event as it goes to the store: identified, and not yet matched.
 *
 * @param recipientWindow how long before the event a message may have been sent that it is matched
 * to by its recipient alone, in ms; only for events without any id, and not at all by default
 * @param providers those whose messages an inbound mail may answer
 */
export function toIncoming(
  provider: string,
  parsed: ParsedEvent,
  receivedAt: Date,
  recipientWindow?: number,
  providers?: ReadonlySet<string>,
): IncomingEvent {
  const { ownId: _ownId, discriminator: _discriminator, ...facts } = parsed
  const at = timeOf(parsed)
  const key = providerKey(provider, parsed)
  const keys = matchKeys(provider, parsed, providers)
  const happened = at ?? receivedAt.getTime()
  const inbound = parsed.type === 'inbound'
  return {
    event: {
      id: eventId(provider, parsed),
      provider,
      ...facts,
      occurredAt: at === undefined ? receivedAt : new Date(at),
      receivedAt,
      // Without any id there is nothing to wait for; and nobody answers a mail before it is sent.
      correlation: { status: keys.length > 0 && !inbound ? 'pending' : 'foreign' },
    },
    matchKeys: keys,
    ...(key !== undefined && { providerKey: key }),
    // An inbound mail says nothing of a recipient of what it answers.
    ...(parsed.recipient !== undefined &&
      !inbound && { address: canonicalAddress(parsed.recipient) }),
    ...(recipientWindow !== undefined &&
      keys.length === 0 &&
      !inbound && {
        sentWithin: { from: happened - recipientWindow, to: happened + clockSkew },
      }),
  }
}

/** What a message can be found by beside its ids: its tags and its metadata. */
export function labelsOf({
  tags,
  metadata,
}: {
  tags?: readonly string[]
  metadata?: Readonly<Record<string, string>>
}): string[] {
  return [
    ...new Set([
      ...(tags ?? []).map((tag) => `tag:${tag}`),
      ...Object.entries(metadata ?? {}).map((entry) => `metadata:${JSON.stringify(entry)}`),
    ]),
  ]
}

/** The ids by which events may speak of a message. */
export function messageKeys(
  message: Pick<
    MessageRecord,
    'trackingId' | 'provider' | 'providerMessageId' | 'messageId' | 'recipients'
  >,
): MessageKey[] {
  const keys = new Map<string, MessageKey>()
  const add = (key: string, address?: string): void => {
    // An id that several recipients have says nothing of whom an event is about.
    const known = keys.get(key)
    const own = known ? known.address === address : true
    keys.set(key, address !== undefined && own ? { key, address } : { key })
  }
  add(byOwnId(message.trackingId))
  for (const { address, providerMessageId } of message.recipients) {
    if (providerMessageId !== undefined) {
      add(byProviderId(message.provider, providerMessageId), canonicalAddress(address))
    }
  }
  if (message.providerMessageId !== undefined) {
    const key = byProviderId(message.provider, message.providerMessageId)
    if (!keys.has(key)) add(key)
  }
  const messageId = message.messageId === undefined ? undefined : bareMessageId(message.messageId)
  if (messageId !== undefined) add(byMessageId(message.provider, messageId))
  return [...keys.values()]
}

/**
 * An event tied to its message. `address` is the canonical address it speaks of: the event's own,
 * or the one that the matching id belongs to, or the message's only one.
 */
export function matched(
  event: AnyEvent,
  record: MessageRecord,
  via: MatchedVia,
  address: string | undefined,
): { event: AnyEvent; address: string | undefined } {
  const [only, ...others] = record.recipients
  const known =
    address ?? (only && others.length === 0 ? canonicalAddress(only.address) : undefined)
  const recipient =
    event.recipient ??
    record.recipients.find((entry) => canonicalAddress(entry.address) === known)?.address
  return {
    event: {
      ...event,
      ...(recipient !== undefined && { recipient }),
      trackingId: record.trackingId,
      correlation: { status: 'matched', via },
    },
    address: known,
  }
}

/** The SHA-256 of a JSON value, whatever the order of its keys and the white space it came with. */
export function contentDigest(value: unknown): string {
  return sha256(JSON.stringify(value, sortedKeys))
}

// Bare: nothing else that is a key looks like it, and a store may find the message by it at once.
const byOwnId = (id: string): string => id
const byProviderId = (provider: string, id: string): string =>
  storable(`provider-id:${provider}:${id}`)
const byMessageId = (provider: string, id: string): string =>
  storable(`message-id:${provider}:${id}`)

/** What tells two facts of the same type, recipient and time apart. */
function distinguishing(event: ParsedEvent): string[] {
  switch (event.type) {
    case 'clicked':
      return [event.url, event.ip ?? '', event.userAgent ?? '']
    case 'opened':
      return [event.ip ?? '', event.userAgent ?? '']
    case 'deferred':
    case 'delivered':
      return [String(event.attempt ?? '')]
    case 'unsubscribed':
    case 'subscribed':
      return [event.scope.kind, event.scope.id ?? '']
    case 'suppression':
      return [event.list, event.action, canonicalAddress(event.address), event.reason ?? '']
    case 'unknown':
      return [contentDigest(event.raw)]
    // It stands under its own Message-ID, its mailbox and what it says.
    case 'inbound':
    case 'accepted':
    case 'bounced':
    case 'rejected':
    case 'failed':
    case 'complained':
      return []
  }
}

/** The largest time that a UUID has room for, in ms since 1970. */
const latestTime = 2 ** 48 - 1

/** When it happened, in ms since 1970; undefined where that is not said, or is no time at all. */
function timeOf({ occurredAt }: ParsedEvent): number | undefined {
  return inRange(occurredAt?.getTime())
}

function inRange(at: number | undefined): number | undefined {
  return at !== undefined && at >= 0 && at <= latestTime ? at : undefined
}

/** The smallest id of ours that a message sent at this time can have, in ms since 1970. */
export function firstTrackingId(milliseconds: number): string {
  const bytes = Buffer.alloc(16)
  bytes.writeUIntBE(Math.min(Math.max(Math.floor(milliseconds), 0), latestTime), 0, 6)
  return fromBytes(bytes)
}

/** When a message was sent, in ms since 1970, by our id of it. */
export function sentAt(trackingId: string): number {
  return toBytes(trackingId).readUIntBE(0, 6)
}

function sortedKeys(_key: string, value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
