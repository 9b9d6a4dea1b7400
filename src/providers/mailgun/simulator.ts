import { randomBytes } from 'node:crypto'
import { text } from '../../payload.js'
import type {
  ApiAnswer,
  ApiRequest,
  ProviderSimulator,
  SignedRequest,
  SimulatedAccount,
  SimulatedMessage,
  WebhookRetries,
} from '../../simulator.js'
import { sign } from './signature.js'
import { answerAccount } from './simulated-account.js'
import { documentHead, type SimulatedHead } from './simulated-document.js'
import { inboundFields } from './simulated-others.js'
import { entryOf, recipientVariables } from './simulated-event.js'
import { answerLogs, logsPath } from './simulated-history.js'

/** How a simulated account is set up. */
export interface MailgunSimulatorOptions {
  /** The one key that its API takes. */
  apiKey: string
  /** The one sending domain that it has. */
  domain: string
  /** What signs; a new key by default. */
  signingKey?: string
  /** What else is set up in it; nothing by default. */
  account?: SimulatedAccount
}

export interface MailgunSimulator extends ProviderSimulator {
  /** What the webhook is to be given. */
  readonly signingKey: string
}

/**
 * Mailgun on this machine: its Messages API, its webhooks, its Logs API that knows what those told, and what is
 * set up in the account.
 */
export function mailgunSimulator({
  apiKey,
  domain,
  signingKey = randomBytes(16).toString('hex'),
  account = {},
}: MailgunSimulatorOptions): MailgunSimulator {
  const otherKey = randomBytes(16).toString('hex')
  return {
    provider: 'mailgun',
    retries,
    signingKey,
    async answer(request, now, told = []) {
      if (request.method === 'POST' && request.path === logsPath) {
        return { answer: answerLogs(request, now, told, apiKey) }
      }
      const known = answerAccount(request, { apiKey, domain, signingKey, account })
      return known ? { answer: known } : answerSend(request, now, apiKey, domain)
    },
    entry: (message, event, now) => entryOf(message, event, now, domain),
    // Exactly one event in each post.
    webhooks: (entries, now, forged = false) =>
      entries.map((item) => signEvent(item, now, forged ? otherKey : signingKey)),
    others(message, now) {
      const recipient = message.recipients[0]?.address ?? ''
      const opened = entryOf(message, { type: 'opened', recipient }, now, domain)
      return {
        unknown: signEvent({ ...opened, event: 'teleported' }, now, signingKey),
        inbound: {
          ...signForm(inboundFields(message, recipient, now), now, signingKey),
          inbound: true,
        },
      }
    },
  }
}

const retries: WebhookRetries = {
  waits: [5, 10, 15, 60, 120, 240].map((minutes) => minutes * 60_000),
  isTaken: (status) => status === 200 || status === 406,
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
  const asDocument = request.path.endsWith('.mime')
  const fault = asDocument ? documentFault(form) : findFault(form)
  if (fault !== undefined) return { answer: errorAnswer(400, fault) }
  const given = asDocument ? await documentHead(form.get('message')) : headOfFields(form)
  const stamp = now.toISOString().replace(/\D/g, '').slice(0, 14)
  const id = given.messageId ?? `<${stamp}.${randomBytes(8).toString('hex')}@${domain}>`
  return {
    answer: jsonAnswer(200, { id, message: 'Queued. Thank you.' }),
    message: toMessage(form, id.replace(/^<|>$/g, ''), given.subject),
  }
}

function headOfFields(form: FormData): SimulatedHead {
  const messageId = givenMessageId(form)
  return {
    ...(messageId !== undefined && { messageId }),
    // A template may bring it.
    subject: String(form.get('subject') ?? ''),
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
  const [, asked] = /^\/v3\/([^/]+)\/messages(?:\.mime)?$/.exec(path) ?? []
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
  return (
    addressFault(form, ['from', 'to'], ['from', ...recipientFields]) ??
    contentFault(form) ??
    optionsFault(form)
  )
}

/** Everything else about a document is in it. */
function documentFault(form: FormData): string | undefined {
  const fault = addressFault(form, ['to'], ['to'])
  if (fault !== undefined) return fault
  const document = form.get('message')
  if (document === null) return 'message parameter is missing'
  return document instanceof File ? optionsFault(form) : "'message' parameter is not a file"
}

function addressFault(form: FormData, needed: string[], read: string[]): string | undefined {
  for (const name of needed) {
    if (mailboxes(form, name).length === 0) return `${name} parameter is missing`
  }
  for (const name of read) {
    const addresses = mailboxes(form, name).map(addressOf)
    if (!addresses.every((address) => /^[^@\s]+@[^@\s]+$/.test(address))) {
      return `${name} parameter is not a valid address. please check documentation`
    }
  }
  const recipients = read.filter((name) => recipientFields.includes(name))
  return recipients.flatMap((name) => mailboxes(form, name)).length > 1000
    ? 'Too many recipients, max is 1000'
    : undefined
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
  if (form.has('recipient-variables') && recipientVariables(form) === undefined) {
    return "'recipient-variables' parameter is not a valid JSON"
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

function toMessage(form: FormData, id: string, subject: string): SimulatedMessage {
  const recipients = recipientFields
    .flatMap((name) => mailboxes(form, name))
    .map((mailbox) => ({ address: addressOf(mailbox), id }))
  const variables = [...form].filter(([name]) => name.startsWith('v:'))
  return {
    id,
    recipients,
    subject,
    metadata: Object.fromEntries(variables.map(([name, value]) => [name.slice(2), String(value)])),
    tags: form.getAll('o:tag').map(String),
    messageId: id,
    request: form,
  }
}

function newSignature(now: Date, signingKey: string) {
  const timestamp = String(Math.floor(now.getTime() / 1000))
  const token = randomBytes(25).toString('hex')
  return { timestamp, token, signature: sign(signingKey, timestamp, token) }
}

function signForm(fields: Record<string, string>, now: Date, signingKey: string): SignedRequest {
  const form = new URLSearchParams({ ...fields, ...newSignature(now, signingKey) })
  return {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: Buffer.from(form.toString()),
  }
}

function signEvent(eventData: unknown, now: Date, signingKey: string): SignedRequest {
  const signature = newSignature(now, signingKey)
  return {
    headers: { 'content-type': 'application/json', 'user-agent': 'mailgun/treq-16.12.0' },
    body: Buffer.from(JSON.stringify({ signature, 'event-data': eventData })),
  }
}
