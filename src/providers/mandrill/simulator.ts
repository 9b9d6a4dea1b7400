import { randomBytes } from 'node:crypto'
import { type Fields, fields, text, texts } from '../../payload.js'
import type {
  ApiAnswer,
  ApiRequest,
  ProviderSimulator,
  SignedRequest,
  SimulatedAccount,
  SimulatedEvent,
  SimulatedMessage,
  ToldEvent,
  WebhookRetries,
} from '../../simulator.js'
import { phpJson } from './php-json.js'
import { readDocument, type SimulatedDocument, senderOf } from './simulated-document.js'
import { listedRejects, listedWebhooks } from './simulated-account.js'
import { messageInfo } from './simulated-history.js'
import { inboundEntry, suppressionEntry } from './simulated-others.js'
import { latestSendAt } from './send-at.js'
import { sign, signatureHeader } from './signature.js'

/** How a simulated account is set up. */
export interface MandrillSimulatorOptions {
  /** The one key that its API takes. */
  apiKey: string
  /** The URL of the webhook as it would be entered in Mandrill. */
  webhookUrl: string
  /** What signs; a new key by default. */
  webhookKey?: string
  /** What else is set up in it; nothing by default. */
  account?: SimulatedAccount
}

export interface MandrillSimulator extends ProviderSimulator {
  /** What the webhook is to be given. */
  readonly webhookKey: string
}

/**
 * Mandrill on this machine: its send calls, its word on a message, its check of a key, its webhooks, and what is set
 * up in the account.
 */
export function mandrillSimulator({
  webhookKey = randomBytes(16).toString('base64url'),
  ...options
}: MandrillSimulatorOptions): MandrillSimulator {
  const otherKey = randomBytes(16).toString('base64url')
  return {
    provider: 'mandrill',
    retries,
    webhookKey,
    answer: (request, now, told = []) => answerCall(request, now, told, options),
    entry,
    webhooks: (entries, _now, forged = false) => [
      signBatch(entries, options.webhookUrl, forged ? otherKey : webhookKey),
    ],
    others(message, now) {
      const recipient = message.recipients[0]?.address ?? ''
      const opened = entry(message, { type: 'opened', recipient }, now)
      const signed = (one: Fields) => signBatch([one], options.webhookUrl, webhookKey)
      return {
        suppression: signed(suppressionEntry(recipient, now)),
        inbound: signed(inboundEntry(message, recipient, now)),
        unknown: signed({ ...opened, event: 'teleport' }),
      }
    },
  }
}

/** Some twenty minutes apart; then it turns the webhook off. */
const retries: WebhookRetries = {
  waits: Array.from({ length: 20 }, () => 20 * 60_000),
  isTaken: (status) => status === 200,
}

type Answered = { answer: ApiAnswer; message?: SimulatedMessage }

const callPath =
  /^\/api\/1\.\d\/(messages\/(?:send(?:-template|-raw)?|info)|users\/ping2|webhooks\/list|rejects\/list)(?:\.json)?$/

async function answerCall(
  { method, path, body }: ApiRequest,
  now: Date,
  told: readonly ToldEvent[],
  { apiKey, account = {} }: Pick<MandrillSimulatorOptions, 'apiKey' | 'account'>,
): Promise<Answered> {
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
  if (name === 'webhooks/list') return { answer: jsonAnswer(200, listedWebhooks(account)) }
  if (name === 'rejects/list') return { answer: jsonAnswer(200, listedRejects(account)) }
  if (name === 'messages/info') return { answer: answerInfo(call, told) }
  if (name === 'messages/send-raw') return answerRaw(call, now)
  return answerSend(call, name === 'messages/send-template', now)
}

function answerSend(call: Fields, withTemplate: boolean, now: Date): Answered {
  const mail = fields(call['message'])
  const fault =
    findMessageFault(mail) ?? findTimeFault(call, now) ?? (withTemplate && findTemplateFault(call))
  if (fault) return { answer: faultAnswer(fault) }
  const template = text(call['template_name']) ?? ''
  if (withTemplate && !isKnownTemplate(template)) {
    const message = `No such template "${template}"`
    return { answer: errorAnswer(404, 5, 'Unknown_Template', message) }
  }
  const addresses = list(mail['to']).map(({ email }) => text(email) ?? '')
  const items = itemsFor(addresses, {
    scheduled: (timeOf(call['send_at']) ?? now) > now,
    withFiles: list(mail['attachments']).length > 0,
  })
  return answerWith(items, {
    subject: text(mail['subject']) ?? '',
    metadata: textsByName(mail['metadata']),
    tags: texts(mail['tags']),
    messageId: bare(text(fields(mail['headers'])['Message-Id'])),
    request: mail,
  })
}

/** What is done with a document; `to` names the recipients where it is given. */
async function answerRaw({ key: _, ...call }: Fields, now: Date): Promise<Answered> {
  const source = text(call['raw_message'])
  if (source === undefined) return { answer: faultAnswer({ raw_message: 'Please enter a value' }) }
  const document = await readDocument(source)
  const to = texts(call['to'])
  const addresses = to.length > 0 ? to : document.recipients
  const fault = documentFault(document, addresses) ?? findTimeFault(call, now)
  if (fault) return { answer: faultAnswer(fault) }
  const items = itemsFor(addresses, {
    scheduled: (timeOf(call['send_at']) ?? now) > now,
    withFiles: document.hasFiles,
  })
  const { subject, metadata, tags, messageId } = document
  return answerWith(items, { subject, metadata, tags, messageId, request: call })
}

function answerInfo(call: Fields, told: readonly ToldEvent[]): ApiAnswer {
  const id = text(call['id'])
  if (id === undefined) return faultAnswer({ id: 'Please enter a value' })
  const info = messageInfo(id, told)
  if (info) return jsonAnswer(200, info)
  return errorAnswer(404, 11, 'Unknown_Message', `No message exists with the id '${id}'`)
}

function answerWith(
  items: readonly Item[],
  message: Omit<SimulatedMessage, 'id' | 'recipients'>,
): Answered {
  const accepted = items.filter((item) => item.reject_reason === null)
  const recipients = accepted.map(({ email, _id }) => ({ address: email, id: _id }))
  const [first] = recipients
  const answer = jsonAnswer(200, items)
  return first ? { answer, message: { id: first.id, recipients, ...message } } : { answer }
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
  const handlebars = mail['merge_language'] === 'handlebars'
  const each = list(mail['merge_vars'])
  return (
    varsFault('global_merge_vars', list(mail['global_merge_vars']), handlebars) ??
    varsFault(
      'merge_vars',
      each.flatMap(({ vars }) => list(vars)),
      handlebars,
    ) ??
    tagsFault(texts(mail['tags']))
  )
}

function documentFault(
  { sender, tags }: SimulatedDocument,
  recipients: readonly string[],
): Fault | undefined {
  if (!isAddress(sender)) return { from_email: 'An email address must contain a single @' }
  if (recipients.length === 0) return { to: 'Please provide at least one recipient' }
  return tagsFault(tags)
}

function varsFault(field: string, vars: readonly Fields[], handlebars: boolean): Fault | undefined {
  if (vars.some(({ name }) => text(name)?.startsWith('_') ?? true)) {
    return { [field]: 'Names of merge variables may not begin with an underscore' }
  }
  return !handlebars && vars.some(({ content }) => typeof content === 'object')
    ? { [field]: 'The content of a merge variable must be a string' }
    : undefined
}

function tagsFault(tags: readonly string[]): Fault | undefined {
  return tags.some((tag) => tag.startsWith('_'))
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

interface Handling {
  scheduled: boolean
  /** Which are looked through for viruses first. */
  withFiles: boolean
}

function itemsFor(addresses: readonly string[], handling: Handling): Item[] {
  return addresses.map((address) => itemFor(address, handling, addresses.length > 10))
}

function itemFor(address: string, { scheduled, withFiles }: Handling, toMany: boolean): Item {
  const item = { email: address.toLowerCase(), _id: randomBytes(16).toString('hex') }
  const accepted = { ...item, reject_reason: null }
  // Refusals of what is sent later, or in the background, come as events.
  if (scheduled) return { ...accepted, status: 'scheduled', queued_reason: null }
  if (toMany) return { ...accepted, status: 'queued', queued_reason: 'multiple-recipients' }
  const refused = { ...item, queued_reason: null }
  if (!isAddress(address)) return { ...refused, status: 'invalid', reject_reason: 'invalid' }
  // A test address of Mandrill's own.
  if (address.startsWith('reject@')) {
    return { ...refused, status: 'rejected', reject_reason: 'hard-bounce' }
  }
  return withFiles
    ? { ...accepted, status: 'queued', queued_reason: 'attachments' }
    : { ...accepted, status: 'sent', queued_reason: null }
}

function faultAnswer(fault: Fault): ApiAnswer {
  return errorAnswer(400, -2, 'ValidationError', `Validation error: ${JSON.stringify(fault)}`)
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

function textsByName(values: unknown): Record<string, string> {
  const entries = Object.entries(fields(values))
  return Object.fromEntries(entries.map(([name, value]) => [name, text(value) ?? '']))
}

const bare = (messageId = ''): string => messageId.replace(/^<|>$/g, '')

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
  const own = list(fields(request)['recipient_metadata']).filter(
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
