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
  const id = givenMessageId(form) ?? `<${stamp}.${randomBytes(8).toString('hex')}@${domain}>`
  return {
    answer: jsonAnswer(200, { id, message: 'Queued. Thank you.' }),
    message: toMessage(form, id.replace(/^<|>$/g, '')),
  }
}

/** The Message-ID that the sender chose, where it can be one. */
function givenMessageId(form: FormData): string | undefined {
  const [, given] = [...form].find(([name]) => name.toLowerCase() === 'h:message-id') ?? []
  const id = text(given)
  return id !== undefined && /^<?[^<>@\s]+@[^<>@\s]+>?$/.test(id) ? id : undefined
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
    if (mailboxes(form, name).length === 0) return `${name} parameter is missing`
  }
  for (const name of ['from', ...recipientFields]) {
    const addresses = mailboxes(form, name).map(addressOf)
    if (!addresses.every((address) => /^[^@\s]+@[^@\s]+$/.test(address))) {
      return `${name} parameter is not a valid address. please check documentation`
    }
  }
  if (recipientFields.flatMap((name) => mailboxes(form, name)).length > 1000) {
    return 'Too many recipients, max is 1000'
  }
  return contentFault(form) ?? optionsFault(form)
}

function contentFault(form: FormData): string | undefined {
  if (!form.has('subject') && !form.has('template')) return 'subject parameter is missing'
  if (form.has('html') && form.has('template')) {
    return "Only one parameters 'html' or 'template' is allowed"
  }
  return ['text', 'html', 'amp-html', 'template'].some((name) => form.has(name))
    ? undefined
    : "Need at least one of 'text', 'html', 'amp-html' or 'template' parameters specified"
}

function optionsFault(form: FormData): string | undefined {
  const options = [...form].filter(([name]) => /^[ohvt]:/.test(name))
  const [foreign] = options.find(([name]) => /^h:.*[^!-~]/.test(name)) ?? []
  if (foreign !== undefined) return `Header name must be pure ASCII: ${foreign.slice(2)}`
  if (!form.getAll('o:deliverytime').map(String).every(isDeliveryTime)) {
    return 'invalid delivery time format'
  }
  const size = options.reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(String(value)),
    0,
  )
  return size > 16 * 1024
    ? 'Send options (parameters starting with o:, h:, or v:) are limited to 16KB total'
    : undefined
}

/** A date of RFC 2822, in a zone that is a number or UTC; or seconds since 1970. */
function isDeliveryTime(value: string): boolean {
  const [, time] = /^(?:[A-Z][a-z]{2}, )?(.+) (?:[+-]\d{4}|GMT|UTC)$/.exec(value) ?? []
  const date = /^\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d(?::\d\d)?$/
  return (
    /^\d+$/.test(value) ||
    (time !== undefined && date.test(time) && !Number.isNaN(Date.parse(value)))
  )
}

const recipientFields = ['to', 'cc', 'bcc']

/** The mailboxes of a field, which may be repeated and may be lists. */
function mailboxes(form: FormData, name: string): string[] {
  return form.getAll(name).flatMap((value) => splitMailboxes(String(value)))
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
  const recipients = recipientFields
    .flatMap((name) => mailboxes(form, name))
    .map((mailbox) => ({ address: addressOf(mailbox), id }))
  const variables = [...form].filter(([name]) => name.startsWith('v:'))
  return {
    id,
    recipients,
    // A template may bring it.
    subject: String(form.get('subject') ?? ''),
    metadata: Object.fromEntries(variables.map(([name, value]) => [name.slice(2), String(value)])),
    tags: form.getAll('o:tag').map(String),
    messageId: id,
    request: form,
  }
}

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
function entry(
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
    'user-variables': event.withoutOwnId ? {} : message.metadata,
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

function signEvent(eventData: unknown, now: Date, signingKey: string) {
  const timestamp = String(Math.floor(now.getTime() / 1000))
  const token = randomBytes(25).toString('hex')
  const signature = { timestamp, token, signature: sign(signingKey, timestamp, token) }
  return {
    headers: { 'content-type': 'application/json', 'user-agent': 'mailgun/treq-16.12.0' },
    body: Buffer.from(JSON.stringify({ signature, 'event-data': eventData })),
  }
}
