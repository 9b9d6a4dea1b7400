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
import { errorAnswer, isAuthorized, jsonAnswer, textAnswer } from './simulated-answers.js'
import { documentHead, type SimulatedHead } from './simulated-document.js'
import { entryOf } from './simulated-event.js'
import {
  addressOf,
  documentFault,
  findFault,
  mailboxes,
  recipientFields,
} from './simulated-faults.js'
import { answerLogs, logsPath } from './simulated-history.js'
import { inboundFields } from './simulated-others.js'

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
  const { method, path, body } = request
  const [, asked] = /^\/v3\/([^/]+)\/messages(?:\.mime)?$/.exec(path) ?? []
  if (asked === undefined || method !== 'POST') {
    return textAnswer(200, 'text/html; charset=utf-8', 'Mailgun Magnificent API')
  }
  if (!isAuthorized(request, apiKey)) {
    return textAnswer(401, 'text/html; charset=utf-8', 'Forbidden')
  }
  if (asked !== domain) return errorAnswer(404, `Domain not found: ${asked}`)
  return body.length > 52.4 * 1024 * 1024
    ? errorAnswer(413, 'request size exceeds 52.4MiB limit')
    : undefined
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
