import { randomBytes } from 'node:crypto'
import { type Fields, fields, listOfFields, text, texts } from '../../payload.js'
import type {
  ApiAnswer,
  ApiRequest,
  ProviderSimulator,
  SignedRequest,
  SimulatedAccount,
  SimulatedMessage,
  ToldEvent,
  WebhookRetries,
} from '../../simulator.js'
import { phpJson } from './php-json.js'
import { readDocument } from './simulated-document.js'
import { listedRejects, listedWebhooks } from './simulated-account.js'
import { entryOf } from './simulated-event.js'
import {
  documentFault,
  type Fault,
  findMessageFault,
  findTemplateFault,
  findTimeFault,
} from './simulated-faults.js'
import { isAddress, textsByName, timeOf } from './simulated-fields.js'
import { messageInfo } from './simulated-history.js'
import { inboundEntry, suppressionEntry } from './simulated-others.js'
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
    entry: entryOf,
    webhooks: (entries, _now, forged = false) => [
      signBatch(entries, options.webhookUrl, forged ? otherKey : webhookKey),
    ],
    others(message, now) {
      const recipient = message.recipients[0]?.address ?? ''
      const opened = entryOf(message, { type: 'opened', recipient }, now)
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
  const addresses = listOfFields(mail['to']).map(({ email }) => text(email) ?? '')
  const items = itemsFor(addresses, {
    scheduled: (timeOf(call['send_at']) ?? now) > now,
    withFiles: listOfFields(mail['attachments']).length > 0,
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

/** Every name that begins with a letter, but for one that tests can ask for in vain. */
const isKnownTemplate = (name: string): boolean => /^[a-z]/i.test(name) && name !== 'unknown'

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

const bare = (messageId = ''): string => messageId.replace(/^<|>$/g, '')

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
