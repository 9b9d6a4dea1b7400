import { type Fields, fields, listOfFields, text } from '../../payload.js'
import type { SimulatedEvent, SimulatedMessage } from '../../simulator.js'
import { textsByName } from './simulated-fields.js'
import { senderOf } from './simulated-document.js'

const names = {
  accepted: 'send',
  deferred: 'deferral',
  delivered: 'delivered',
  bounced: 'hard_bounce',
  rejected: 'reject',
  opened: 'open',
  clicked: 'click',
  complained: 'spam',
  unsubscribed: 'unsub',
} as const

/** An entry of `mandrill_events`. */
export function entryOf(message: SimulatedMessage, event: SimulatedEvent, now: Date): Fields {
  const ts = Math.floor((event.at ?? now).getTime() / 1000)
  const address = event.recipient.toLowerCase()
  const id = message.recipients.find((recipient) => recipient.address === address)?.id
  const soft = event.type === 'bounced' && event.bounce === 'soft'
  const { from_email, raw_message } = fields(message.request)
  return {
    event: soft ? 'soft_bounce' : names[event.type],
    _id: id ?? message.id,
    msg: {
      ts,
      _id: id ?? message.id,
      subject: message.subject,
      email: event.recipient,
      sender: from_email ?? senderOf(text(raw_message) ?? ''),
      tags: message.tags,
      // PHP writes an empty object as an empty list.
      metadata: event.withoutOwnId ? [] : metadataFor(address, message),
      ...messageDetails(event, ts),
    },
    ...topDetails(event),
    ts,
  }
}

/** That of all, and over it what the request has for this recipient. */
function metadataFor(address: string, { metadata, request }: SimulatedMessage): Fields {
  const own = listOfFields(fields(request)['recipient_metadata']).filter(
    ({ rcpt }) => text(rcpt)?.toLowerCase() === address,
  )
  return Object.assign({ ...metadata }, ...own.map(({ values }) => textsByName(values)))
}

function messageDetails({ type, bounce = 'hard' }: SimulatedEvent, ts: number): Fields {
  const smtpEvent = (kind: string, diag: string): Fields => ({
    smtp_events: [{ ts, type: kind, diag, source_ip: '198.2.128.10', size: 4120 }],
  })
  switch (type) {
    case 'deferred':
      return {
        state: 'deferred',
        ...smtpEvent('deferred', '451 4.7.1 Greylisted, try again later'),
      }
    case 'delivered':
      return { state: 'sent', ...smtpEvent('delivered', '250 2.0.0 OK') }
    case 'bounced':
      return bounce === 'soft'
        ? {
            state: 'soft-bounced',
            diag: 'smtp;552 5.2.2 Over Quota',
            bounce_description: 'mailbox_full',
          }
        : {
            state: 'bounced',
            diag: 'smtp;550 5.1.1 No such user',
            bounce_description: 'bad_mailbox',
            ...(bounce === 'later' && smtpEvent('sent', '250 2.0.0 OK')),
          }
    case 'rejected':
      return { state: 'rejected', reject: { reason: 'hard-bounce' } }
    case 'accepted':
    case 'opened':
    case 'clicked':
    case 'complained':
    case 'unsubscribed':
      return { state: 'sent' }
  }
}

function topDetails({ type, url }: SimulatedEvent): Fields {
  if (type === 'delivered') return { diag: '250 2.0.0 OK' }
  const visit = { ip: '203.0.113.80', location: null, user_agent: 'Mozilla/5.0' }
  if (type === 'opened') return visit
  return type === 'clicked' ? { ...visit, url: url ?? 'https://example.com/' } : {}
}
