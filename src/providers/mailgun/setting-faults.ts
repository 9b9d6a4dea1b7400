import { texts } from '../../payload.js'
import type { Finding, ProviderSettings } from '../../provider-kit.js'
import { isApiKey } from './webhook-keys.js'

/** What shows to be wrong with Mailgun's settings by looking at them. */
export function findFaults({ apiKey, domain, signingKey }: ProviderSettings): Finding[] {
  const findings: Finding[] = []
  const keys = texts(signingKey)
  if (keys.length === 0) {
    findings.push({
      code: 'missing-setting',
      severity: 'fault',
      what: 'The signing key is missing, and without it every webhook is refused.',
      todo: 'Set MAILGUN_WEBHOOK_SIGNING_KEY to the HTTP webhook signing key that Mailgun shows beside its API keys.',
    })
  }
  if (texts(apiKey).length > 0 && texts(domain).length === 0) {
    findings.push({
      code: 'missing-setting',
      severity: 'fault',
      what: 'The sending domain is missing.',
      todo: 'Set MAILGUN_DOMAIN to the domain as it is set up at Mailgun.',
    })
  }
  if (keys.some((key) => isApiKey(key) || texts(apiKey).includes(key))) {
    findings.push({
      code: 'api-key-as-signing-key',
      // Old accounts sign with their API key until one of the two is replaced (django-anymail#153).
      severity: keys.every((key) => key.startsWith('key-')) ? 'warning' : 'fault',
      what: 'The signing key is an API key. Only accounts from before 2019 that never replaced it sign with that.',
      todo: 'Set MAILGUN_WEBHOOK_SIGNING_KEY to the HTTP webhook signing key that Mailgun shows beside its API keys.',
    })
  }
  if (texts(domain).some((name) => /^sandbox[\da-f]{32}\.mailgun\.org$/i.test(name))) {
    findings.push({
      code: 'sandbox-mode',
      severity: 'warning',
      what: "The domain is the account's sandbox: it sends to five authorised addresses, and to nobody else.",
      todo: 'Set MAILGUN_DOMAIN to a domain of yours.',
    })
  }
  return findings
}

/** The same of a message's own options. */
export function findMailFaults(own: Readonly<Record<string, unknown>>): Finding[] {
  if (!['yes', 'true'].includes(String(own['o:testmode']))) return []
  return [
    {
      code: 'sandbox-mode',
      severity: 'fault',
      what: 'Test mode is on: Mailgun takes each message, tells it as delivered (code 650), and sends nothing.',
      todo: "Take 'o:testmode' out of the options of the messages.",
    },
  ]
}
