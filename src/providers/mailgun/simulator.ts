import { randomBytes } from 'node:crypto'
import { type Fields, text } from '../../payload.js'
import type {
  ApiAnswer,
  ApiRequest,
  ProviderSimulator,
  SimulatedEvent,
  SimulatedMessage,
} from '../../simulator.js'
import { sign } from './signature.js'

export interface MailgunSimulatorOptions {
  apiKey: string
  domain: string
}

export interface MailgunSimulator extends ProviderSimulator {
  /** What the webhook is to be given. */
  readonly signingKey: string
}

/** Mailgun on this machine: its Messages API, and its webhooks. */
export function mailgunSimulator({ apiKey, domain }: MailgunSimulatorOptions): MailgunSimulator {
  const signingKey = randomBytes(16).toString('hex')
  const otherKey = randomBytes(16).toString('hex')
  return {
    provider: 'mailgun',
    signingKey,
    answer: (request, now) => answerSend(request, now, apiKey, domain),
    entry: (message, event, now) => entry(message, event, now, domain),
    // Exactly one event in each post.
    webhooks: (entries, now, forged = false) =>
      entries.map((item) => signEvent(item, now, forged ? otherKey : signingKey)),
  }
}

async function answerSend(
  request: ApiRequest,
  now: Date,
  apiKey: string,
  domain: string,
): Promise<{ answer: ApiAnswer; message?: SimulatedMessage }> {
  const refused = refuseCall(request, apiKey, domain)
  if (refused) return { answer: refused }
  const type = request.headers['content-type'] ?? ''
  if (!type.startsWith('multipart/form-data')) {
    return {
      answer: errorAnswer(
        400,
        `Invalid request content type. Expecting 'multipart/form-data' but got '${type}'`,
      ),
    }
  }
  let form: FormData
  try {
    form = await new Response(request.body, { headers: { 'content-type': type } }).formData()
  } catch {
    return { answer: errorAnswer(400, 'malformed multipart/form-data request') }
  }
  const fault = findFault(form)
  if (fault !== undefined) return { answer: errorAnswer(400, fault) }
  const stamp = now.toISOString().replace(/\D/g, '').slice(0, 14)
  const given = text(form.get('h:Message-Id'))
  const id = given ?? `<${stamp}.${randomBytes(8).toString('hex')}@${domain}>`
  return {
    answer: jsonAnswer(200, { id, message: 'Queued. Thank you.' }),
    message: toMessage(form, id.replace(/^<|>$/g, '')),
  }
}

function refuseCall(request: ApiRequest, apiKey: string, domain: string): ApiAnswer | undefined {
  const { method, path, headers, body } = request
  const [, asked] = /^\/v3\/([^/]+)\/messages$/.exec(path) ?? []
  if (asked === undefined || method !== 'POST') {
    return textAnswer(200, 'text/html; charset=utf-8', 'Mailgun Magnificent API')
  }
  const credentials = Buffer.from(`api:${apiKey}`).toString('base64')
  if (headers['authorization'] !== `Basic ${credentials}`) {
    return textAnswer(401, 'text/html; charset=utf-8', 'Forbidden')
  }
  if (asked !== domain) return errorAnswer(404, `Domain not found: ${asked}`)
  return body.length > 52.4 * 1024 * 1024
    ? errorAnswer(413, 'request size exceeds 52.4MiB limit')
    : undefined
}

function findFault(form: FormData): string | undefined {
  for (const name of ['from', 'to']) {
    if (!form.has(name)) return `${name} parameter is missing`
  }
  for (const name of ['from', 'to', 'cc', 'bcc']) {
    const valid = form
      .getAll(name)
      .flatMap((value) => splitMailboxes(String(value)))
      .every((mailbox) => /^[^@\s]+@[^@\s]+$/.test(addressOf(mailbox)))
    if (!valid) return `${name} parameter is not a valid address. please check documentation`
  }
  if (!form.has('subject')) return 'subject parameter is missing'
  if (!['text', 'html', 'amp-html', 'template'].some((name) => form.has(name))) {
    return "Need at least one of 'text', 'html', 'amp-html' or 'template' parameters specified"
  }
  const name = [...form.keys()].find((key) => key.startsWith('h:') && !/^[\x21-\x7e]+$/.test(key))
  if (name !== undefined) return `Header name must be pure ASCII: ${name}`
  const options = [...form].filter(([key]) => /^[ohvt]:/.test(key))
  const size = options.reduce((sum, [key, value]) => sum + key.length + String(value).length, 0)
  return size > 16 * 1024
    ? 'Send options (parameters starting with o:, h:, or v:) are limited to 16KB total'
    : undefined
}

/** Parts a list at its commas, but for those within quotes. */
function splitMailboxes(value: string): string[] {
  return value.match(/(?:"(?:\\.|[^"\\])*"|[^,"])+/g) ?? []
}

function addressOf(mailbox: string): string {
  return (/<([^<>]*)>\s*$/.exec(mailbox)?.[1] ?? mailbox).trim()
}

function errorAnswer(status: number, message: string): ApiAnswer {
  return jsonAnswer(status, { message })
}

function jsonAnswer(status: number, body: unknown): ApiAnswer {
  return textAnswer(status, 'application/json', JSON.stringify(body))
}

function textAnswer(status: number, type: string, body: string): ApiAnswer {
  return { status, headers: { 'content-type': type }, body }
}

function toMessage(form: FormData, id: string): SimulatedMessage {
  const recipients = ['to', 'cc', 'bcc'].flatMap((name) =>
    form
      .getAll(name)
      .flatMap((value) => splitMailboxes(String(value)))
      .map((mailbox) => ({ address: addressOf(mailbox), id })),
  )
  const variables = [...form].filter(([name]) => name.startsWith('v:'))
  return {
    id,
    recipients,
    subject: String(form.get('subject')),
    metadata: Object.fromEntries(variables.map(([name, value]) => [name.slice(2), String(value)])),
    tags: form.getAll('o:tag').map(String),
    messageId: id,
    request: form,
  }
}

const names = {
  accepted: 'accepted',
  deferred: 'failed',
  delivered: 'delivered',
  bounced: 'failed',
  rejected: 'failed',
  opened: 'opened',
  clicked: 'clicked',
  complained: 'complained',
  unsubscribed: 'unsubscribed',
} as const

/** The `event-data` of a webhook. */
function entry(
  message: SimulatedMessage,
  event: SimulatedEvent,
  now: Date,
  domain: string,
): Fields {
  const { 'message-id': messageId, ...others } = {
    'message-id': message.messageId,
    to: event.recipient,
    from: `shop@${domain}`,
    subject: message.subject,
  }
  // Engagement events know the id of the message and no more of it.
  const headers = isDelivery(event)
    ? { ...others, 'message-id': messageId }
    : { 'message-id': messageId }
  return {
    event: names[event.type],
    id: randomBytes(16).toString('base64url'),
    timestamp: (event.at ?? now).getTime() / 1000,
    'log-level': 'info',
    domain: { name: domain },
    message: { headers },
    recipient: event.recipient,
    'recipient-domain': event.recipient.split('@')[1],
    tags: message.tags,
    campaigns: [],
    'user-variables': event.withoutOwnId ? {} : message.metadata,
    ...details(event, domain),
  }
}

function isDelivery({ type }: SimulatedEvent): boolean {
  return ['accepted', 'deferred', 'delivered', 'bounced', 'rejected'].includes(type)
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

function signEvent(eventData: unknown, now: Date, signingKey: string) {
  const timestamp = String(Math.floor(now.getTime() / 1000))
  const token = randomBytes(25).toString('hex')
  const signature = { timestamp, token, signature: sign(signingKey, timestamp, token) }
  return {
    headers: { 'content-type': 'application/json', 'user-agent': 'mailgun/treq-16.12.0' },
    body: Buffer.from(JSON.stringify({ signature, 'event-data': eventData })),
  }
}
