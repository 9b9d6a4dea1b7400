import { createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { fields, isFields, parseJson, readEach, readEntries, text, texts } from '../../payload.js'
import type { ProviderKit, ProviderSettings } from '../../provider-kit.js'
import { sendgridAccount } from './account.js'
import { readEvent } from './entries.js'
import { sendgridHistory } from './history.js'
import { findAnswerFaults, findFaults, findMailFaults } from './setting-faults.js'
import { parsePublicKey, sign, signatureHeader, timestampHeader } from './signature.js'
import { sendgridSimulator } from './simulator.js'
import { sendgridTransport } from './transport.js'
import { sendgridWebhook } from './webhook.js'

export const sendgridKit: ProviderKit = {
  provider: 'sendgrid',
  title: 'SendGrid',
  sending: { factory: 'sendgridTransport', entry: 'mailtrail/sendgrid', sdk: '@sendgrid/mail' },
  settings: [
    { name: 'apiKey', variable: 'SENDGRID_API_KEY', secret: true },
    { name: 'baseUrl', variable: 'SENDGRID_URL', secret: false },
    { name: 'publicKey', variable: 'SENDGRID_WEBHOOK_PUBLIC_KEY', secret: false },
    { name: 'privateKey', variable: 'SENDGRID_WEBHOOK_PRIVATE_KEY', secret: true },
  ],
  verifiedWith: 'publicKey',
  signsUrl: false,
  neededEvents: ['delivered', 'bounce', 'dropped', 'spam_report', 'unsubscribe'],

  createTransport: (settings, options) =>
    sendgridTransport({ ...apiOptions(settings), ...options }),
  createWebhook: (settings) => sendgridWebhook({ publicKey: texts(settings['publicKey']) }),
  createHistory: (settings) => sendgridHistory(apiOptions(settings)),
  createAccount: (settings) => sendgridAccount(apiOptions(settings)),

  newSandbox() {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
    return {
      apiKey: `SG.sandbox.${randomBytes(16).toString('base64url')}`,
      publicKey: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
      privateKey: privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64'),
    }
  },

  createSimulator(settings, account) {
    const privateKey = text(settings['privateKey'])
    if (privateKey === undefined) return undefined
    const apiKey = text(settings['apiKey']) ?? ''
    return sendgridSimulator({ apiKey, privateKey, scopes, ...(account && { account }) })
  },

  plainPost(settings, recipient, now) {
    const simulator = sendgridKit.createSimulator(settings)
    const key = text(settings['privateKey'])
    if (!simulator || key === undefined) return undefined
    const entry = simulator.entry(probeMessage, { type: 'delivered', recipient }, now)
    const body = Buffer.from(JSON.stringify([entry]))
    const timestamp = String(Math.floor(now.getTime() / 1000))
    return {
      headers: {
        'content-type': 'application/json',
        'user-agent': 'SendGrid Event API',
        [signatureHeader]: sign(privateKeyOf(key), timestamp, body),
        [timestampHeader]: timestamp,
      },
      body,
    }
  },

  async read({ body }) {
    const entries = entriesOf(body.toString('utf8'))
    if (entries === undefined || !entries.some(isSendgrid)) return undefined
    return readEach(entries, readEvent)
  },

  findFaults,
  findMailFaults,
  findAnswerFaults,

  isSameKey: (one, other) => bare(one) === bare(other),

  afterAnswer: (status) =>
    status >= 200 && status < 300
      ? { taken: true, words: 'SendGrid counts the batch as taken, and does not post it again.' }
      : {
          taken: false,
          words:
            status >= 300 && status < 400
              ? 'SendGrid follows no redirect: it posts the batch again, with growing waits, for a day, and then drops it.'
              : 'SendGrid posts the batch again, with growing waits, for a day, and then drops it.',
        },
}

/** What the API key of a sandbox may do. */
const scopes = [
  'mail.send',
  'user.webhooks.event.settings.read',
  'suppression.read',
  'email_activity.read',
  'messages.read',
]

const probeMessage = {
  id: 'mailtrail-probe',
  recipients: [],
  subject: 'mailtrail probe',
  metadata: {},
  tags: [],
  messageId: 'probe@mailtrail.invalid',
  request: null,
}

function apiOptions(settings: ProviderSettings): { apiKey?: string; baseUrl?: string } {
  const apiKey = text(settings['apiKey'])
  const baseUrl = text(settings['baseUrl'])
  return { ...(apiKey !== undefined && { apiKey }), ...(baseUrl !== undefined && { baseUrl }) }
}

const privateKeyOf = (key: string) =>
  createPrivateKey({ key: Buffer.from(key, 'base64'), format: 'der', type: 'pkcs8' })

/** A key without what may be around it; what is none stays as it is. */
function bare(key: string): string {
  try {
    return parsePublicKey(key).export({ type: 'spki', format: 'der' }).toString('base64')
  } catch {
    return key
  }
}

/** A batch, or one event of it. */
function entriesOf(json: string): unknown[] | undefined {
  const batch = readEntries('the body', json)
  if (batch.kind === 'entries') return batch.entries
  const value = parseJson(json)
  return isFields(value) ? [value] : undefined
}

const isSendgrid = (entry: unknown): boolean => {
  const { event, email, sg_message_id, sg_event_id } = fields(entry)
  return typeof event === 'string' && [email, sg_message_id, sg_event_id].some(Boolean)
}
