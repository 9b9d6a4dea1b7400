import { randomBytes } from 'node:crypto'
import { isForm } from '../../form.js'
import { isFields, parseJson, readEach, text, texts } from '../../payload.js'
import type { ProviderKit, ProviderSettings } from '../../provider-kit.js'
import { mailgunAccount } from './account.js'
import { readEvent } from './event-data.js'
import { mailgunHistory } from './history.js'
import { findFaults, findMailFaults } from './setting-faults.js'
import { readPost } from './signed-post.js'
import { mailgunSimulator } from './simulator.js'
import { mailgunTransport } from './transport.js'
import { mailgunWebhook } from './webhook.js'

export const mailgunKit: ProviderKit = {
  provider: 'mailgun',
  title: 'Mailgun',
  sending: { factory: 'mailgunTransport', entry: 'mailtrail/mailgun', sdk: 'mailgun.js' },
  settings: [
    { name: 'apiKey', variable: 'MAILGUN_API_KEY', secret: true },
    { name: 'domain', variable: 'MAILGUN_DOMAIN', secret: false },
    { name: 'baseUrl', variable: 'MAILGUN_URL', secret: false },
    { name: 'signingKey', variable: 'MAILGUN_WEBHOOK_SIGNING_KEY', secret: true },
  ],
  verifiedWith: 'signingKey',
  signsUrl: false,
  neededEvents: ['delivered', 'permanent_fail', 'complained', 'unsubscribed'],

  createTransport: (settings, options) => mailgunTransport({ ...apiOptions(settings), ...options }),
  createWebhook: (settings) => mailgunWebhook({ signingKey: texts(settings['signingKey']) }),
  createHistory: (settings) => mailgunHistory(apiOptions(settings)),
  createAccount: (settings) => mailgunAccount(apiOptions(settings)),

  newSandbox: () => ({
    apiKey: `key-${randomBytes(16).toString('hex')}`,
    domain: 'sandbox.example.com',
    signingKey: randomBytes(16).toString('hex'),
  }),

  createSimulator(settings, account) {
    const [signingKey] = texts(settings['signingKey'])
    if (signingKey === undefined) return undefined
    return mailgunSimulator({
      apiKey: text(settings['apiKey']) ?? '',
      domain: text(settings['domain']) ?? 'sandbox.example.com',
      signingKey,
      ...(account && { account }),
    })
  },

  // What is signed is no part of the body's bytes: parsing and writing changes nothing.
  plainPost: () => undefined,

  async read({ body, contentType }) {
    if (isForm(contentType)) {
      const post = await readPost({ method: 'POST', target: '/', header: () => contentType, body })
      if (post.kind === 'refused' || post.signatures.length === 0) return undefined
      const [signed] = post.signatures
      const content = signed && (await post.content(signed, {}))
      return content?.kind === 'content' ? content.events : undefined
    }
    const value = parseJson(body.toString('utf8'))
    if (!isFields(value)) return undefined
    const entry = isFields(value['event-data']) ? value['event-data'] : value
    const isEntry = typeof entry['event'] === 'string' && 'timestamp' in entry && 'id' in entry
    return isEntry && !('_id' in entry) ? readEach([entry], readEvent) : undefined
  },

  findFaults,
  findMailFaults,
  findAnswerFaults: () => [],

  isSameKey: (one, other) => one.trim() === other.trim(),

  afterAnswer(status) {
    if (status === 200) return { taken: true, words: 'Mailgun counts the event as taken.' }
    return status === 406
      ? { taken: false, words: 'Mailgun drops the event: 406 is how it is told to.' }
      : {
          taken: false,
          words:
            'Mailgun posts the event again, six times within eight hours, and then drops it. It stops on 200 and 406 alone.',
        }
  },
}

function apiOptions(settings: ProviderSettings): {
  apiKey?: string
  domain?: string
  baseUrl?: string
} {
  const apiKey = text(settings['apiKey'])
  const domain = text(settings['domain'])
  const baseUrl = text(settings['baseUrl'])
  return {
    ...(apiKey !== undefined && { apiKey }),
    ...(domain !== undefined && { domain }),
    ...(baseUrl !== undefined && { baseUrl }),
  }
}
