import { randomBytes } from 'node:crypto'
import { isForm } from '../../form.js'
import { fields, isFields, parseJson, text, texts } from '../../payload.js'
import type { ProviderKit, ProviderSettings } from '../../provider-kit.js'
import { mandrillAccount } from './account.js'
import { mandrillHistory } from './history.js'
import { readForm } from './posted-form.js'
import { findFaults } from './setting-faults.js'
import { mandrillSimulator } from './simulator.js'
import { mandrillTransport } from './transport.js'
import { mandrillWebhook, readEvents } from './webhook.js'

export const mandrillKit: ProviderKit = {
  provider: 'mandrill',
  title: 'Mandrill',
  sending: {
    factory: 'mandrillTransport',
    entry: 'mailtrail/mandrill',
    sdk: '@mailchimp/mailchimp_transactional',
  },
  settings: [
    { name: 'apiKey', variable: 'MANDRILL_API_KEY', secret: true },
    { name: 'baseUrl', variable: 'MANDRILL_URL', secret: false },
    { name: 'key', variable: 'MANDRILL_WEBHOOK_KEY', secret: true },
    { name: 'url', variable: 'MANDRILL_WEBHOOK_URL', secret: false },
  ],
  verifiedWith: 'key',
  signsUrl: true,
  neededEvents: ['send', 'hard_bounce', 'soft_bounce', 'spam', 'unsub', 'reject'],

  createTransport: (settings, options) =>
    mandrillTransport({ ...apiOptions(settings), ...options }),
  createWebhook: (settings) =>
    mandrillWebhook({ key: texts(settings['key']), url: texts(settings['url']) }),
  createHistory: (settings) => mandrillHistory(apiOptions(settings)),
  createAccount: (settings) => mandrillAccount(apiOptions(settings)),

  newSandbox: () => ({
    apiKey: `md-${randomBytes(16).toString('base64url')}`,
    key: randomBytes(16).toString('base64url'),
  }),

  createSimulator(settings, account) {
    const [webhookKey] = texts(settings['key'])
    const [webhookUrl] = texts(settings['url'])
    if (webhookKey === undefined || webhookUrl === undefined) return undefined
    return mandrillSimulator({
      apiKey: text(settings['apiKey']) ?? '',
      webhookUrl,
      webhookKey,
      ...(account && { account }),
    })
  },

  plainPost(settings, recipient, now) {
    const simulator = mandrillKit.createSimulator(settings)
    // Without a slash and in ASCII, PHP and JavaScript write the same JSON.
    const entry = simulator?.entry(plainMessage, { type: 'delivered', recipient }, now)
    const [request] = simulator?.webhooks([entry], now) ?? []
    return request
  },

  async read({ body, contentType }) {
    const form = isForm(contentType)
      ? readForm(body)
      : { kind: 'form' as const, batch: asBatch(body) }
    if (form.kind === 'refused' || !looksRight(form.batch)) return undefined
    const reading = await readEvents(form, {})
    return reading.kind === 'events' ? reading.events : undefined
  },

  findFaults,
  // Whether an API key is one for tests cannot be seen by it.
  findMailFaults: () => [],
  findAnswerFaults: () => [],

  isSameKey: (one, other) => one.trim() === other.trim(),

  afterAnswer: (status) =>
    status === 200
      ? { taken: true, words: 'Mandrill counts the batch as taken.' }
      : {
          taken: false,
          words:
            'Mandrill posts the whole batch again, up to 20 times, every 15 to 25 minutes, and then turns the webhook off.',
        },
}

const plainMessage = {
  id: '0123456789abcdef0123456789abcdef',
  recipients: [],
  subject: 'mailtrail probe',
  metadata: {},
  tags: [],
  messageId: '',
  request: { from_email: 'probe@example.com' },
}

function apiOptions(settings: ProviderSettings): { apiKey?: string; baseUrl?: string } {
  const apiKey = text(settings['apiKey'])
  const baseUrl = text(settings['baseUrl'])
  return { ...(apiKey !== undefined && { apiKey }), ...(baseUrl !== undefined && { baseUrl }) }
}

/** JSON that somebody has taken out of its form: a batch, or one event of it. */
function asBatch(body: Buffer): Buffer {
  return isFields(parseJson(body.toString('utf8')))
    ? Buffer.concat([Buffer.from('['), body, Buffer.from(']')])
    : body
}

function looksRight(batch: Buffer): boolean {
  const entries = parseJson(batch.toString('utf8'))
  if (!Array.isArray(entries)) return false
  return entries.every((entry) => {
    const { event, msg, type, action, _id } = fields(entry)
    const isMessage = typeof event === 'string' && (isFields(msg) || typeof _id === 'string')
    return isMessage || (typeof type === 'string' && typeof action === 'string')
  })
}
