import { randomBytes } from 'node:crypto'
import { type Fields, fields, isFields, parseJson } from '../../payload.js'
import type { SimulatedEvent, SimulatedMessage } from '../../simulator.js'

const kinds = {
  accepted: { event: 'accepted', 'log-level': 'info' },
  deferred: { event: 'failed', 'log-level': 'warn' },
  delivered: { event: 'delivered', 'log-level': 'info' },
  bounced: { event: 'failed', 'log-level': 'error' },
  rejected: { event: 'failed', 'log-level': 'error' },
  opened: { event: 'opened', 'log-level': 'info' },
  clicked: { event: 'clicked', 'log-level': 'info' },
  complained: { event: 'complained', 'log-level': 'warn' },
  unsubscribed: { event: 'unsubscribed', 'log-level': 'info' },
} as const

/** The `event-data` of a webhook. */
export function entryOf(
  message: SimulatedMessage,
  event: SimulatedEvent,
  now: Date,
  domain: string,
): Fields {
  const headers = {
    'message-id': message.messageId,
    ...(!isVisit(event) && {
      to: event.recipient,
      from: `shop@${domain}`,
      subject: message.subject,
    }),
  }
  return {
    ...kinds[event.type],
    id: randomBytes(16).toString('base64url'),
    timestamp: (event.at ?? now).getTime() / 1000,
    domain: { name: domain },
    message: { headers },
    recipient: event.recipient,
    ...(event.type !== 'complained' && { 'recipient-domain': event.recipient.split('@')[1] }),
    tags: message.tags,
    campaigns: [],
    'user-variables': event.withoutOwnId ? {} : variablesFor(message, event.recipient),
    ...details(event, domain),
  }
}

/** These know the id of the message and no more of it. */
function isVisit({ type }: SimulatedEvent): boolean {
  return type === 'opened' || type === 'clicked' || type === 'unsubscribed'
}

function details({ type, bounce = 'hard', url }: SimulatedEvent, domain: string): Fields {
  const flags = { 'is-authenticated': true, 'is-routed': false, 'is-test-mode': false }
  const envelope = { sender: `shop@${domain}`, transport: 'smtp', 'sending-ip': '203.0.113.40' }
  const visit = {
    ip: '198.51.100.77',
    geolocation: { country: 'ES', region: 'Madrid', city: 'Madrid' },
    'client-info': { 'client-type': 'browser', 'user-agent': 'Mozilla/5.0', bot: '' },
  }
  const failed = (severity: string, reason: string, code: number, text_: string): Fields => ({
    severity,
    reason,
    flags,
    envelope,
    'delivery-status': {
      'attempt-no': 1,
      code,
      message: text_,
      description: '',
      'enhanced-code': /\d\.\d\.\d/.exec(text_)?.[0] ?? '',
      'mx-host': 'mx1.example.com',
    },
  })
  switch (type) {
    case 'accepted':
      return { method: 'HTTP', flags, envelope }
    case 'deferred':
      return failed('temporary', 'greylisted', 451, '4.7.1 Greylisted, try again later')
    case 'delivered':
      return {
        flags,
        envelope,
        'delivery-status': { 'attempt-no': 1, code: 250, message: 'OK', 'enhanced-code': '2.0.0' },
      }
    case 'bounced':
      if (bounce === 'later') {
        return {
          ...failed('permanent', 'generic', 550, 'smtp; 550-5.1.1 mailbox unavailable'),
          flags: { 'is-delayed-bounce': true },
          envelope: {},
        }
      }
      return bounce === 'soft'
        ? failed('permanent', 'old', 602, '4.4.2 Too old')
        : failed('permanent', 'bounce', 550, '5.1.1 No such mailbox')
    case 'rejected':
      return {
        ...failed('permanent', 'suppress-bounce', 605, ''),
        'delivery-status': {
          'attempt-no': 1,
          code: 605,
          message: '',
          description: 'Not delivering to previously bounced address',
        },
      }
    case 'opened':
      return visit
    case 'clicked':
      return { ...visit, url: url ?? 'https://example.com/' }
    case 'unsubscribed':
      return visit
    case 'complained':
      return {}
  }
}

/** The variables of a message as its events tell them; a placeholder without a value stays. */
function variablesFor({ metadata, request }: SimulatedMessage, recipient: string): Fields {
  const all = request instanceof FormData ? recipientVariables(request) : undefined
  const own = fields(all?.[recipient])
  return Object.fromEntries(
    Object.entries(metadata).map(([name, value]) => [
      name,
      value.replace(/%recipient\.([^%]+)%/g, (placeholder, variable: string) =>
        Object.hasOwn(own, variable) ? String(own[variable]) : placeholder,
      ),
    ]),
  )
}

/** What each recipient has, by address; undefined where nothing can be made of it. */
export function recipientVariables(form: FormData): Fields | undefined {
  const variables = parseJson(String(form.get('recipient-variables')))
  return isFields(variables) ? variables : undefined
}
