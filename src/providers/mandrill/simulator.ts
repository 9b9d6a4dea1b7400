import { randomBytes } from 'node:crypto'
import { type Fields, fields, text, texts } from '../../payload.js'
import type {
  ApiAnswer,
  ApiRequest,
  ProviderSimulator,
  SignedRequest,
  SimulatedEvent,
  SimulatedMessage,
} from '../../simulator.js'
import { phpJson } from './php-json.js'
import { latestSendAt } from './send-at.js'
import { sign, signatureHeader } from './signature.js'

export interface MandrillSimulatorOptions {
  apiKey: string
  /** The URL of the webhook as it would be entered in Mandrill. */
  webhookUrl: string
}

export interface MandrillSimulator extends ProviderSimulator {
  /** What the webhook is to be given. */
  readonly webhookKey: string
}

/** Mandrill on this machine: its send calls, its check of a key, and its webhooks. */
export function mandrillSimulator(options: MandrillSimulatorOptions): MandrillSimulator {
  const webhookKey = randomBytes(16).toString('base64url')
  const otherKey = randomBytes(16).toString('base64url')
  return {
    provider: 'mandrill',
    webhookKey,
    answer: async (request, now) => answerCall(request, now, options.apiKey),
    entry,
    webhooks: (entries, _now, forged = false) => [
      signBatch(entries, options.webhookUrl, forged ? otherKey : webhookKey),
    ],
  }
}

type Answered = { answer: ApiAnswer; message?: SimulatedMessage }

const callPath = /^\/api\/1\.\d\/(messages\/send|messages\/send-template|users\/ping2)(?:\.json)?$/

function answerCall({ method, path, body }: ApiRequest, now: Date, apiKey: string): Answered {
  const [, name] = callPath.exec(path) ?? []
  if (method !== 'POST' || name === undefined) {
    return { answer: { status: 404, headers: { 'content-type': 'text/html' }, body: notFoundPage } }
  }
  let call: Fields
  try {
    call = fields(JSON.parse(body.toString('utf8')))
  } catch {
    return { answer: errorAnswer(400, -2, 'ValidationError', 'You must specify a key value') }
  }
  if (call['key'] !== apiKey) {
    return { answer: errorAnswer(401, -1, 'Invalid_Key', 'Invalid API key') }
  }
  if (name === 'users/ping2') return { answer: jsonAnswer(200, { PING: 'PONG!' }) }
  return answerSend(call, name === 'messages/send-template', now)
}

function answerSend(call: Fields, withTemplate: boolean, now: Date): Answered {
  const mail = fields(call['message'])
  const fault =
    findMessageFault(mail) ?? findTimeFault(call, now) ?? (withTemplate && findTemplateFault(call))
  if (fault) {
    const message = `Validation error: ${JSON.stringify(fault)}`
    return { answer: errorAnswer(400, -2, 'ValidationError', message) }
  }
  const template = text(call['template_name']) ?? ''
  if (withTemplate && !isKnownTemplate(template)) {
    const message = `No such template "${template}"`
    return { answer: errorAnswer(404, 5, 'Unknown_Template', message) }
  }
  const scheduled = (timeOf(call['send_at']) ?? now) > now
  const items = list(mail['to']).map((recipient) => answerFor(recipient, mail, scheduled))
  const accepted = items.filter((item) => item.reject_reason === null)
  return {
    answer: jsonAnswer(200, items),
    ...(accepted.length > 0 && { message: toMessage(mail, accepted) }),
  }
}

const notFoundPage =
  '<html><head><title>404 Not Found</title></head><body><center>nginx</center></body></html>'

const list = (value: unknown): Fields[] => (Array.isArray(value) ? value.map(fields) : [])

const isAddress = (value: unknown): boolean => /^[^@\s]+@[^@\s]+$/.test(text(value) ?? '')

/** Every name that begins with a letter, but for one that tests can ask for in vain. */
const isKnownTemplate = (name: string): boolean => /^[a-z]/i.test(name) && name !== 'unknown'

type Fault = Record<string, unknown>

function findMessageFault(mail: Fields): Fault | undefined {
  const fault = messageFault(mail)
  return fault && { message: fault }
}

function messageFault(mail: Fields): Fault | undefined {
  if (!isAddress(mail['from_email'])) {
    return { from_email: 'An email address must contain a single @' }
  }
  if (list(mail['to']).length === 0) return { to: 'Please provide at least one recipient' }
  const images = list(mail['images'])
  const files = [...list(mail['attachments']), ...images]
  if (files.some(({ content }) => typeof content !== 'string')) {
    return { attachments: 'Please provide base64-encoded content' }
  }
  if (images.some(({ type }) => !text(type)?.startsWith('image/'))) {
    return { images: 'The type of an image must start with image/' }
  }
  const vars = list(mail['global_merge_vars'])
  if (vars.some(({ name }) => text(name)?.startsWith('_') ?? true)) {
    return { global_merge_vars: 'Names of merge variables may not begin with an underscore' }
  }
  const handlebars = mail['merge_language'] === 'handlebars'
  if (!handlebars && vars.some(({ content }) => typeof content === 'object')) {
    return { global_merge_vars: 'The content of a merge variable must be a string' }
  }
  return texts(mail['tags']).some((tag) => tag.startsWith('_'))
    ? { tags: 'Tags may not begin with an underscore' }
    : undefined
}

function findTimeFault({ send_at }: Fields, now: Date): Fault | undefined {
  if (send_at === undefined || send_at === null) return undefined
  const time = timeOf(send_at)
  if (!time) return { send_at: 'Please enter a date in the format YYYY-MM-DD HH:MM:SS' }
  return time > latestSendAt(now)
    ? { send_at: 'Messages can be scheduled up to one year ahead' }
    : undefined
}

function timeOf(value: unknown): Date | undefined {
  const written = text(value) ?? ''
  if (!/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(written)) return undefined
  const time = new Date(`${written.replace(' ', 'T')}Z`)
  return Number.isNaN(time.getTime()) ? undefined : time
}

function findTemplateFault({ template_name, template_content }: Fields): Fault | undefined {
  if (text(template_name) === undefined) return { template_name: 'Please enter a value' }
  return Array.isArray(template_content) ? undefined : { template_content: 'Please enter an array' }
}

interface Item {
  email: string
  status: string
  _id: string
  reject_reason: string | null
  queued_reason: string | null
}

function answerFor({ email }: Fields, mail: Fields, scheduled: boolean): Item {
  const address = text(email) ?? ''
  const item = { email: address.toLowerCase(), _id: randomBytes(16).toString('hex') }
  const accepted = { ...item, reject_reason: null }
  // Refusals of what is sent later, or in the background, come as events.
  if (scheduled) return { ...accepted, status: 'scheduled', queued_reason: null }
  if (list(mail['to']).length > 10) {
    return { ...accepted, status: 'queued', queued_reason: 'multiple-recipients' }
  }
  const refused = { ...item, queued_reason: null }
  if (!isAddress(address)) return { ...refused, status: 'invalid', reject_reason: 'invalid' }
  // A test address of Mandrill's own.
  if (address.startsWith('reject@')) {
    return { ...refused, status: 'rejected', reject_reason: 'hard-bounce' }
  }
  return list(mail['attachments']).length > 0
    ? { ...accepted, status: 'queued', queued_reason: 'attachments' }
    : { ...accepted, status: 'sent', queued_reason: null }
}

function errorAnswer(status: number, code: number, name: string, message: string): ApiAnswer {
  return jsonAnswer(status, { status: 'error', code, name, message })
}

function jsonAnswer(status: number, body: unknown): ApiAnswer {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: JSON.stringify(body),
  }
}

function toMessage(mail: Fields, items: Item[]): SimulatedMessage {
  const metadata = Object.entries(fields(mail['metadata']))
  return {
    id: items[0]?._id ?? '',
    recipients: items.map(({ email, _id }) => ({ address: email, id: _id })),
    subject: text(mail['subject']) ?? '',
    metadata: Object.fromEntries(metadata.map(([key, value]) => [key, text(value) ?? ''])),
    tags: texts(mail['tags']),
    messageId: (text(fields(mail['headers'])['Message-Id']) ?? '').replace(/^<|>$/g, ''),
    request: mail,
  }
}

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
function entry(message: SimulatedMessage, event: SimulatedEvent, now: Date): Fields {
  const ts = Math.floor((event.at ?? now).getTime() / 1000)
  const address = event.recipient.toLowerCase()
  const id = message.recipients.find((recipient) => recipient.address === address)?.id
  const soft = event.type === 'bounced' && event.bounce === 'soft'
  return {
    event: soft ? 'soft_bounce' : names[event.type],
    _id: id ?? message.id,
    msg: {
      ts,
      _id: id ?? message.id,
      subject: message.subject,
      email: event.recipient,
      sender: fields(message.request)['from_email'],
      tags: message.tags,
      // PHP writes an empty object as an empty list.
      metadata: event.withoutOwnId ? [] : message.metadata,
      ...messageDetails(event, ts),
    },
    ...topDetails(event),
    ts,
  }
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

/** The form as PHP writes it, with `+` for a space. */
function signBatch(entries: readonly unknown[], url: string, key: string): SignedRequest {
  const json = phpJson(entries)
  const form = new URLSearchParams({ mandrill_events: json })
  return {
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'user-agent': 'Mandrill-Webhook/1.0',
      [signatureHeader]: sign(key, url, [['mandrill_events', json]]),
    },
    body: Buffer.from(form.toString().replaceAll('*', '%2A')),
  }
}
