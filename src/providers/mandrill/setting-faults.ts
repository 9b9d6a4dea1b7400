import { texts } from '../../payload.js'
import type { Finding, ProviderSettings } from '../../provider-kit.js'
import { testKey } from './signature.js'

const shownAt = 'Mandrill shows it under Settings, Webhooks, beside each webhook'

/** What shows to be wrong with Mandrill's settings by looking at them. */
export function findFaults({ apiKey, key, url }: ProviderSettings): Finding[] {
  const findings: Finding[] = []
  const keys = texts(key)
  if (keys.length === 0) {
    findings.push({
      code: 'missing-setting',
      severity: 'fault',
      what: "The webhook's key is missing, and without it every webhook is refused.",
      todo: `Set MANDRILL_WEBHOOK_KEY: ${shownAt}.`,
    })
  }
  if (texts(url).length === 0) {
    findings.push({
      code: 'missing-setting',
      severity: 'fault',
      what: "The webhook's URL is missing, which is a part of what Mandrill signs.",
      todo: 'Set MANDRILL_WEBHOOK_URL to the URL as it was entered in Mandrill, to the letter.',
    })
  }
  if (keys.some((one) => one.startsWith('md-') || texts(apiKey).includes(one))) {
    findings.push({
      code: 'api-key-as-signing-key',
      severity: 'fault',
      what: "The webhook's key is an API key, with which nothing is signed.",
      todo: `Set MANDRILL_WEBHOOK_KEY to the key of the webhook: ${shownAt}.`,
    })
  }
  if (keys.length > 0 && keys.every((one) => one === testKey)) {
    findings.push({
      code: 'sandbox-mode',
      severity: 'fault',
      what: `The webhook's key is still "${testKey}", which lets nothing through but Mandrill's trial of the URL.`,
      todo: `Set MANDRILL_WEBHOOK_KEY to the key of the webhook: ${shownAt}.`,
    })
  }
  return findings
}
