import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import { type Fields, fields, listOfFields, text, texts } from '../../payload.js'
import type {
  ApiAnswer,
  ApiRequest,
  ProviderSimulator,
  SignedRequest,
  SimulatedAccount,
  SimulatedMessage,
  WebhookRetries,
} from '../../simulator.js'
import { answerAccount, isAccountPath } from './simulated-account.js'
import { argsOf, entryOf, mailboxesOf } from './simulated-event.js'
import { findFault } from './simulated-faults.js'
import { answerHistory, isHistoryPath } from './simulated-history.js'
import { inboundForm, otherEntries } from './simulated-others.js'
import { sign, signatureHeader, timestampHeader } from './signature.js'

export interface SendgridSimulator extends ProviderSimulator {
  /** What the webhook is to be given, and its `inbound` too. */
  readonly publicKey: string
}

/** How a simulated account is set up. */
export interface SendgridSimulatorOptions {
  /** The one key that its API takes. */
  apiKey: string
  /** What the API key may do; by default what a key has that may send and nothing more. */
  scopes?: readonly string[]
  /** What signs, as PKCS#8 in base64; a new key by default. */
  privateKey?: string
  /** What else is set up in it; nothing by default. */
  account?: SimulatedAccount
}

/**
 * SendGrid on this machine: its Mail Send API, its signed event webhook, what it tells of events when it
 * is asked, for keys with the scopes `email_activity.read` and `messages.read`, and what is set up in the
 * account, for keys with `user.webhooks.event.settings.read` and `suppression.read`.
 */
export function sendgridSimulator({
  apiKey,
  scopes = ['mail.send', 'sender_verification_eligible', '2fa_required'],
  privateKey,
  account = {},
}: SendgridSimulatorOptions): SendgridSimulator {
  const keys =
    privateKey === undefined
      ? generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
      : keyPairOf(privateKey)
  const otherKeys = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  return {
    provider: 'sendgrid',
    retries,
    publicKey: keys.publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
    answer: async (request, now, told = []) => {
      const refused = refuseCall(request, apiKey)
      if (refused) return { answer: refused }
      if (request.path === sendPath) return answerSend(request, scopes, now)
      const { status, body } = answerHistory(request.path, scopes, told) ??
        answerAccount(request.path, scopes, account) ?? { status: 200, body: { scopes } }
      return { answer: jsonAnswer(status, body) }
    },
    entry: entryOf,
    webhooks: (entries, now, forged = false) => [
      signBatch(entries, now, forged ? otherKeys.privateKey : keys.privateKey),
    ],
    others(message, now) {
      const recipient = message.recipients[0]?.address ?? ''
      const { subscribed, unknown } = otherEntries(
        entryOf(message, { type: 'unsubscribed', recipient }, now),
      )
      const { type, body } = inboundForm(message, recipient, now)
      return {
        subscribed: signBatch([subscribed], now, keys.privateKey),
        unknown: signBatch([unknown], now, keys.privateKey),
        inbound: { ...signBody(body, type, now, keys.privateKey), inbound: true },
      }
    },
  }
}

/** For a day, at intervals that grow; their lengths are not documented. */
const retries: WebhookRetries = {
  waits: Array.from({ length: 10 }, (_, time) => 60_000 * 2 ** time),
  isTaken: (status) => status >= 200 && status < 300,
}

function keyPairOf(pkcs8: string): { privateKey: KeyObject; publicKey: KeyObject } {
  const key = Buffer.from(pkcs8, 'base64')
  const privateKey = createPrivateKey({ key, format: 'der', type: 'pkcs8' })
  return { privateKey, publicKey: createPublicKey(privateKey) }
}

function answerSend(
  request: ApiRequest,
  scopes: readonly string[],
  now: Date,
): { answer: ApiAnswer; message?: SimulatedMessage } {
  const refused = refuseSend(request, scopes)
  if (refused) return { answer: refused }
  let mail: Fields
  try {
    mail = fields(JSON.parse(request.body.toString('utf8')))
  } catch {
    return { answer: errorAnswer(400, 'Bad Request') }
  }
  const fault = findFault(mail, now)
  if (fault) return { answer: errorAnswer(400, fault.message, fault.field, fault.help) }
  if (inSandbox(mail)) return { answer: { status: 200, headers: {}, body: '' } }
  const id = randomBytes(16).toString('base64url')
  return {
    answer: { status: 202, headers: { 'x-message-id': id }, body: '' },
    message: toMessage(mail, id),
  }
}

/** The message was checked, and that was all. */
function inSandbox(mail: Fields): boolean {
  return fields(fields(mail['mail_settings'])['sandbox_mode'])['enable'] === true
}

const sendPath = '/v3/mail/send'
const methods = new Map([
  [sendPath, 'POST'],
  ['/v3/scopes', 'GET'],
])

function refuseCall(request: ApiRequest, apiKey: string): ApiAnswer | undefined {
  const { method, path, headers } = request
  const allowed =
    methods.get(path) ?? (isHistoryPath(path) || isAccountPath(path) ? 'GET' : undefined)
  if (allowed === undefined) return errorAnswer(404, 'not found')
  if (method !== allowed) return errorAnswer(405, 'method not allowed')
  if (headers['authorization'] === undefined) return errorAnswer(401, 'authorization required')
  return headers['authorization'] === `Bearer ${apiKey}`
    ? undefined
    : errorAnswer(401, 'The provided authorization grant is invalid, expired, or revoked')
}

function refuseSend(
  { headers, body }: ApiRequest,
  scopes: readonly string[],
): ApiAnswer | undefined {
  if (!scopes.includes('mail.send')) return errorAnswer(403, 'access forbidden')
  if (!headers['content-type']?.startsWith('application/json')) {
    return errorAnswer(415, 'Content-Type should be application/json.')
  }
  // nginx answers this one, in its own way.
  if (body.length > 30 * 1024 * 1024) {
    const page = '<html><head><title>413 Request Entity Too Large</title></head></html>'
    return { status: 413, headers: { 'content-type': 'text/html' }, body: page }
  }
  return undefined
}

function errorAnswer(
  status: number,
  message: string,
  field: string | null = null,
  help: string | null = null,
): ApiAnswer {
  return jsonAnswer(status, { errors: [{ message, field, help }] })
}

function jsonAnswer(status: number, body: unknown): ApiAnswer {
  return {
    status,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  }
}

function toMessage(mail: Fields, id: string): SimulatedMessage {
  const personalizations = listOfFields(mail['personalizations'])
  const recipients = personalizations
    .flatMap(mailboxesOf)
    .map(({ email }) => ({ address: text(email) ?? '', id }))
  const messageId = text(fields(mail['headers'])['Message-ID'])
  return {
    id,
    recipients,
    subject: text(mail['subject']) ?? '',
    metadata: argsOf(mail, personalizations[0]),
    tags: texts(mail['categories']),
    messageId: messageId?.replace(/^<|>$/g, '') ?? `${id}@geopod-ismtpd-8`,
    request: mail,
  }
}

/** The body as it stands on the wire: events parted by `,\r\n`, and a line break at the end. */
function signBatch(entries: readonly unknown[], now: Date, privateKey: KeyObject): SignedRequest {
  const json = entries.map((item) => JSON.stringify(item)).join(',\r\n')
  const body = Buffer.from(`[${json}]\r\n`)
  return signBody(body, 'application/json;charset=utf-8', now, privateKey)
}

function signBody(
  body: SignedRequest['body'],
  type: string,
  now: Date,
  privateKey: KeyObject,
): SignedRequest {
  const timestamp = String(Math.floor(now.getTime() / 1000))
  return {
    headers: {
      'content-type': type,
      'user-agent': 'SendGrid Event API',
      [signatureHeader]: sign(privateKey, timestamp, body),
      [timestampHeader]: timestamp,
    },
    body,
  }
}
