import { v7 as uuidv7 } from 'uuid'
import type { MessageRecord, ParsedEvent } from '../../src/index.js'
import type { Board } from './board.js'
import { giveUp } from './given-up.js'

/**
 * Tries to run, as an element, out of an attribute, and out of a script, and to be wider than any page; each of its
 * places has a name.
 */
export const hostile = (place: string): string =>
  `${place}"'><img src=x onerror="fired('${place}')"><script>fired('${place}')</script></title>${'x'.repeat(200)}`

/** As hostile, where a name must be without spaces or an at sign: in an address. */
const hostileAddress = `<svg/onload=fired()>"'@example.org`

const script = 'javascript:fired("url")'

/** The places of a message that are shown on its page. */
export const placesOfMessage = [
  'subject',
  'from',
  'tag',
  'metadata-name',
  'metadata-value',
  'template',
  'provider-id',
  'message-id',
  'trace',
  'attempt',
  'error',
  'response',
  'detail',
  'agent',
  'ip',
  'scope',
  'reason',
  'event-name',
  'raw',
  'failed',
  'unknown',
  'mail-subject',
  'mail-text',
  'mail-from',
]

/** Stores a message whose every field is hostile, with an event of every type that is as bad. */
export async function sendHostileMail(board: Board): Promise<string> {
  const { correlator } = board
  const trackingId = uuidv7()
  const sentAt = new Date()
  const error = {
    code: 'ESEND',
    category: 'rejected',
    message: hostile('error'),
    retryable: false,
    outcome: 'not-sent' as const,
  }
  const record: MessageRecord = {
    trackingId,
    provider: 'sendgrid',
    envelope: { from: 'shop@example.com', to: [hostileAddress] },
    from: { name: hostile('from'), address: 'shop@example.com' },
    to: [{ name: hostile('to'), address: hostileAddress }],
    cc: [],
    bcc: [],
    subject: hostile('subject'),
    tags: [hostile('tag')],
    metadata: { [hostile('metadata-name')]: hostile('metadata-value') },
    templateId: hostile('template'),
    traceparent: hostile('trace'),
    sentAt,
    recipients: [{ address: hostileAddress, kind: 'to', status: 'unknown', providerStatus: '' }],
    earlierAttempts: [
      { provider: 'mailgun', endedAt: sentAt, error: { ...error, message: hostile('attempt') } },
    ],
    outcome: 'sending',
  }
  await correlator.recordSending(record)
  await correlator.recordResult(record, {
    outcome: 'failed',
    recipients: [
      { address: hostileAddress, kind: 'to', status: 'failed', providerStatus: hostile('status') },
    ],
    providerMessageId: hostile('provider-id'),
    messageId: `<${hostile('message-id')}>`,
    error,
  })
  const events = hostileEvents(trackingId, sentAt)
  const read = async function* () {
    yield { events, position: '1' }
  }
  const span = { from: new Date(sentAt.getTime() - 1000), to: new Date(sentAt.getTime() + 60_000) }
  await correlator.backfill({ provider: 'sendgrid', read }, span)
  await correlator.suppressions.add(hostileAddress, { detail: hostile('suppression') })
  await giveUp(board, trackingId, { listener: hostile('listener'), error: hostile('failure') })
  return trackingId
}

function hostileEvents(trackingId: string, sentAt: Date): ParsedEvent[] {
  const common = {
    tags: [],
    metadata: {},
    ownId: trackingId,
    recipient: hostileAddress,
    providerEvent: hostile('event-name'),
    raw: { [hostile('raw')]: hostile('raw') },
    occurredAt: sentAt,
  }
  const visit = { ip: hostile('ip'), userAgent: hostile('agent') }
  const bounce = { kind: 'hard' as const, enhancedCode: hostile('code'), asynchronous: false }
  const from = { name: hostile('mail-from'), address: 'eve@example.org' }
  const mail = {
    from,
    to: [],
    cc: [],
    replyTo: [],
    references: [],
    attachments: [],
    headers: [],
    problems: [],
    inline: {},
    envelope: {
      from: 'eve@example.org',
      to: [],
    },
    subject: hostile('mail-subject'),
    text: hostile('mail-text'),
  }
  return [
    { ...common, type: 'accepted' },
    { ...common, type: 'deferred', response: hostile('response') },
    { ...common, type: 'delivered', response: hostile('response') },
    { ...common, type: 'bounced', bounce, response: hostile('response') },
    { ...common, type: 'rejected', reason: 'other', detail: hostile('detail') },
    { ...common, type: 'failed', detail: hostile('failed') },
    { ...common, type: 'opened', ...visit },
    { ...common, type: 'clicked', url: script, ...visit },
    { ...common, type: 'clicked', url: `https://example.com/${hostile('url')}`, ...visit },
    { ...common, type: 'complained' },
    { ...common, type: 'unsubscribed', scope: { kind: 'list', id: hostile('scope') } },
    {
      ...common,
      type: 'suppression',
      list: 'reject',
      action: 'added',
      address: hostileAddress,
      reason: hostile('reason'),
    },
    { ...common, type: 'unknown', error: hostile('unknown') },
    { ...common, type: 'inbound', mail },
  ]
}

/** Views as somebody may have made a link to them. */
export const hostileLinks = [
  'recipient',
  'subject',
  'status',
  'provider',
  'tag',
  'metadata',
  'from',
  'to',
  'cursor',
  'done',
  'count',
].map((name) => `messages?${new URLSearchParams({ [name]: hostile(name) }).toString()}`)
