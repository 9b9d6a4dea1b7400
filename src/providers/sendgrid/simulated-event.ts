import { randomBytes } from 'node:crypto'
import { type Fields, fields, listOfFields } from '../../payload.js'
import type { SimulatedEvent, SimulatedMessage } from '../../simulator.js'

const names = {
  accepted: 'processed',
  deferred: 'deferred',
  delivered: 'delivered',
  bounced: 'bounce',
  rejected: 'dropped',
  opened: 'open',
  clicked: 'click',
  complained: 'spamreport',
  unsubscribed: 'unsubscribe',
} as const

/** An entry of a batch, its keys in alphabetical order as in real traffic. */
export function entryOf(message: SimulatedMessage, event: SimulatedEvent, now: Date): Fields {
  const seconds = Math.floor((event.at ?? now).getTime() / 1000)
  const later = event.type === 'bounced' && event.bounce === 'later'
  const index = message.recipients.findIndex(({ address }) => address === event.recipient)
  const received = Math.floor(now.getTime() / 1000)
    .toString(16)
    .toUpperCase()
  const unsorted: Fields = {
    // First, for SendGrid's own value wins over a custom argument of the same name.
    ...(!later && !event.withoutOwnId && argsFor(message, event.recipient)),
    email: event.recipient,
    event: names[event.type],
    sg_event_id: randomBytes(16).toString('base64url'),
    timestamp: seconds,
    ...details(event),
    // A bounce that comes back after acceptance knows nothing of the message (docs#5177).
    ...(later
      ? { sg_message_id: '' }
      : {
          sg_message_id: `${message.id}.recvd-7c9d8f6b54-q2w8x-1-${received}-7.${Math.max(index, 0)}`,
          ...(message.tags.length > 0 && { category: message.tags }),
          ...(isDelivery(event) && { 'smtp-id': `<${message.messageId}>` }),
        }),
  }
  return Object.fromEntries(Object.entries(unsorted).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function isDelivery({ type }: SimulatedEvent): boolean {
  return ['accepted', 'deferred', 'delivered', 'bounced', 'rejected'].includes(type)
}

function details({ type, bounce = 'hard', url }: SimulatedEvent): Fields {
  switch (type) {
    case 'accepted':
      return { send_at: 0 }
    case 'deferred':
      return { attempt: '1', response: '451 4.7.1 Greylisted, try again later' }
    case 'delivered':
      return { ip: '149.72.0.10', response: '250 2.0.0 OK 1755427525 gsmtp', tls: 1 }
    case 'bounced':
      return bounce === 'soft'
        ? { type: 'expired', reason: 'unable to get mx info: no such host' }
        : { type: 'bounce', status: '5.1.1', reason: '550 5.1.1 No such user' }
    case 'rejected':
      return { reason: 'Bounced Address' }
    case 'opened':
      return { ip: '203.0.113.9', sg_machine_open: false, useragent: 'Mozilla/5.0' }
    case 'clicked':
      return {
        ip: '203.0.113.9',
        url: url ?? 'https://example.com/',
        url_offset: { index: 0, type: 'html' },
        useragent: 'Mozilla/5.0',
      }
    case 'complained':
    case 'unsubscribed':
      return {}
  }
}

/** Those of the recipient's own personalization. */
function argsFor({ request, metadata }: SimulatedMessage, recipient: string): Fields {
  const mail = fields(request)
  const own = listOfFields(mail['personalizations']).find((personalization) =>
    mailboxesOf(personalization).some(({ email }) => email === recipient),
  )
  // Somebody whom it did not go to at first, as where a mailing list passed it on.
  return own ? argsOf(mail, own) : metadata
}

/** What comes back with the events of a personalization: its own arguments over those of the message. */
export function argsOf(mail: Fields, personalization: Fields = {}): Record<string, string> {
  const args = { ...fields(mail['custom_args']), ...fields(personalization['custom_args']) }
  return Object.fromEntries(Object.entries(args).map(([key, value]) => [key, String(value)]))
}

/** Everybody in a personalization. */
export function mailboxesOf({ to, cc, bcc }: Fields): Fields[] {
  return [to, cc, bcc].flatMap(listOfFields)
}
