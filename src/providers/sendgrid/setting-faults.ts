import { ApiKeyError, ConfigurationError } from '../../errors.js'
import { fields, texts } from '../../payload.js'
import type { Finding, ProviderSettings } from '../../provider-kit.js'
import type { SentInfo } from '../../transporter.js'
import { parsePublicKey } from './signature.js'

const shownAt = 'Settings, Mail Settings, Event Webhook, Signature Verification'

/** What shows to be wrong with SendGrid's settings by looking at them. */
export function findFaults({ apiKey, publicKey }: ProviderSettings): Finding[] {
  const keys = texts(publicKey)
  if (keys.length === 0) {
    return [
      {
        code: 'missing-setting',
        severity: 'fault',
        what: 'The verification key is missing, and without it every webhook is refused.',
        todo: `Set SENDGRID_WEBHOOK_PUBLIC_KEY to what SendGrid shows under ${shownAt}.`,
      },
    ]
  }
  return keys.flatMap((key) => {
    if (texts(apiKey).includes(key)) return [apiKeyFinding]
    return findKeyFault(key)
  })
}

const apiKeyFinding: Finding = {
  code: 'api-key-as-signing-key',
  severity: 'fault',
  what: 'The verification key is an API key: it sends mail, and verifies nothing.',
  todo: `Set SENDGRID_WEBHOOK_PUBLIC_KEY to what SendGrid shows under ${shownAt}; it begins with "MFkwEwYH".`,
}

function findKeyFault(key: string): Finding[] {
  try {
    parsePublicKey(key)
  } catch (error) {
    if (error instanceof ApiKeyError) return [apiKeyFinding]
    if (!(error instanceof ConfigurationError)) throw error
    return [isPem(key) ? brokenPem : notAKey(error)]
  }
  return isPem(key) ? [goodPem] : []
}

const isPem = (key: string): boolean => key.includes('-----') || key.includes('\\n')

const brokenPem: Finding = {
  code: 'pem-key',
  severity: 'fault',
  what: 'The verification key is a PEM that has been damaged: its line breaks are written as "\\n", or only a part of it is there.',
  todo: 'Take the bare key, in one line, as SendGrid shows it: what stands between BEGIN and END, without line breaks.',
}

const goodPem: Finding = {
  code: 'pem-key',
  severity: 'warning',
  what: 'The verification key is written as PEM. It is read here; other libraries want it bare.',
  todo: 'Take the bare key, in one line, as SendGrid shows it: what stands between BEGIN and END, without line breaks.',
}

const notAKey = ({ message }: ConfigurationError): Finding => ({
  code: 'not-a-key',
  severity: 'fault',
  what: `The verification key cannot be read: ${message}.`,
  todo: `Copy it anew from SendGrid, ${shownAt}.`,
})

/** The same of a message's own options. */
export function findMailFaults(own: Readonly<Record<string, unknown>>): Finding[] {
  const { enable } = fields(fields(own['mail_settings'])['sandbox_mode'])
  return enable === true ? [sandboxMode] : []
}

/** The same of an answer: what is only checked gets 200 and no id, what is taken 202. */
export function findAnswerFaults({
  response,
  providerMessageId,
}: Pick<SentInfo, 'response' | 'providerMessageId'>): Finding[] {
  return response === '200' && providerMessageId === undefined ? [sandboxMode] : []
}

const sandboxMode: Finding = {
  code: 'sandbox-mode',
  severity: 'fault',
  what: 'Sandbox mode is on: SendGrid checks each message, answers 200, and sends nothing; no event ever comes.',
  todo: 'Take mail_settings.sandbox_mode out of the options of the messages.',
}
