import {
  mailgunSimulator,
  mailgunTransport,
  mailgunWebhook,
} from '../../src/providers/mailgun/index.js'
import {
  mandrillSimulator,
  mandrillTransport,
  mandrillWebhook,
} from '../../src/providers/mandrill/index.js'
import {
  sendgridSimulator,
  sendgridTransport,
  sendgridWebhook,
} from '../../src/providers/sendgrid/index.js'
import type { ProviderUnderTest } from '../../src/testing/index.js'

const dsn = { dsn: { id: '1', return: 'headers', notify: 'failure' } } as const
const returnPath = { envelope: { from: 'bounce@example.com', to: ['ann@example.org'] } }

export const sendgrid: ProviderUnderTest = {
  provider: 'sendgrid',
  open() {
    const apiKey = 'SG.key-of-the-contract.0123456789abcdef'
    const simulator = sendgridSimulator({ apiKey })
    const { publicKey } = simulator
    return {
      simulator,
      webhook: (options) => sendgridWebhook({ publicKey, ...options }),
      transport: (options) => sendgridTransport({ apiKey, ...options }),
      secrets: { sending: [apiKey], receiving: [] },
    }
  },
  withoutKeys: [() => sendgridWebhook(), () => sendgridTransport()],
  unsupported: { dsn, 'envelope.from': returnPath, date: { date: new Date(0) } },
}

export const mailgun: ProviderUnderTest = {
  provider: 'mailgun',
  open() {
    const apiKey = 'key-of-the-contract-0123456789abcdef'
    const domain = 'mg.example.com'
    const simulator = mailgunSimulator({ apiKey, domain })
    const { signingKey } = simulator
    return {
      simulator,
      webhook: (options) => mailgunWebhook({ signingKey, ...options }),
      transport: (options) => mailgunTransport({ apiKey, domain, ...options }),
      secrets: { sending: [apiKey], receiving: [signingKey] },
    }
  },
  withoutKeys: [() => mailgunWebhook(), () => mailgunTransport({ domain: 'mg.example.com' })],
  unsupported: { dsn, 'envelope.from': returnPath },
}

export const mandrill: ProviderUnderTest = {
  provider: 'mandrill',
  open(webhookUrl) {
    const apiKey = 'md-KeyOfTheContract0123'
    const simulator = mandrillSimulator({ apiKey, webhookUrl })
    const { webhookKey: key } = simulator
    return {
      simulator,
      webhook: (options) => mandrillWebhook({ key, url: webhookUrl, ...options }),
      transport: (options) => mandrillTransport({ apiKey, ...options }),
      secrets: { sending: [apiKey], receiving: [key] },
    }
  },
  withoutKeys: [() => mandrillWebhook(), () => mandrillTransport()],
  unsupported: { dsn, 'envelope.from': returnPath, date: { date: new Date(0) } },
}

export const builtInProviders = [sendgrid, mailgun, mandrill]
