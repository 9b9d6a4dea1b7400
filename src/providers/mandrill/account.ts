import { accountCaller, endedInspection, otherAnswer } from '../../account-caller.js'
import type { SuppressionCause } from '../../store.js'
import { isFields, isoTime, text, texts } from '../../payload.js'
import type { Finding, ProviderAccount } from '../../provider-kit.js'
import type { RegisteredWebhook } from '../../simulator.js'
import type { SuppressionEntry } from '../../suppressions.js'
import { credentials } from './credentials.js'

/** What is asked of a Mandrill account: its webhooks, and its denylist. */
export function mandrillAccount(given: {
  apiKey?: string | undefined
  baseUrl?: string | undefined
}): ProviderAccount {
  const { apiKey, basePath } = credentials('mandrillAccount', given)
  const call = accountCaller('Mandrill', [apiKey])
  const ask = (path: string) =>
    call({
      method: 'POST',
      url: `${basePath}/${path}.json`,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ key: apiKey }),
    })
  return {
    async inspect() {
      try {
        const { body, answeredAt } = await ask('webhooks/list')
        if (!Array.isArray(body)) throw otherAnswer('Mandrill', answeredAt)
        const webhooks = body.filter(isFields).map(readWebhook)
        return { webhooks, findings: [], ...(answeredAt && { answeredAt }) }
      } catch (error) {
        return endedInspection(error, refusal)
      }
    },
    async *suppressions() {
      // It tells a thousand of them, and has no further pages.
      const { body } = await ask('rejects/list')
      if (!Array.isArray(body)) throw otherAnswer('Mandrill', undefined)
      yield* body.filter(isFields).flatMap(readReject)
    },
  }
}

function readWebhook(webhook: Record<string, unknown>): RegisteredWebhook {
  const key = text(webhook['auth_key'])
  const lastError = text(webhook['last_error'])
  return {
    url: text(webhook['url']) ?? '',
    enabled: true,
    events: texts(webhook['events'] ?? []),
    signing: key === undefined ? { kind: 'unknown' } : { kind: 'key', key },
    ...(lastError !== undefined && { lastError }),
  }
}

function refusal(status: number, message: string): Finding | undefined {
  if (/PaymentRequired|not permitted|access/i.test(message)) {
    return {
      code: 'api-key-limited',
      severity: 'warning',
      what: 'The API key may not list webhooks, so nobody can say whether one is registered.',
      todo: 'Give the doctor a key that may make the call webhooks/list.',
    }
  }
  if (status === 401 || /Invalid_Key/.test(message)) {
    return {
      code: 'api-key-refused',
      severity: 'fault',
      what: 'Mandrill does not know this API key.',
      todo: 'Set MANDRILL_API_KEY to one that Mandrill shows under Settings, SMTP & API Info.',
    }
  }
  return undefined
}

const causes = new Map<string, SuppressionCause>([
  ['hard-bounce', 'bounced'],
  ['spam', 'complained'],
  ['unsub', 'unsubscribed'],
])

function readReject(entry: Record<string, unknown>): SuppressionEntry[] {
  const address = text(entry['email'])
  const reason = text(entry['reason']) ?? ''
  // A mailbox that is full says nothing of the address for good, and Mandrill forgets it soon.
  if (address === undefined || reason === 'soft-bounce' || entry['expired'] === true) return []
  const since = isoTime(entry['created_at'])
  const expiresAt = isoTime(entry['expires_at'])
  const detail = text(entry['detail'])
  const subaccount = text(entry['subaccount'])
  return [
    {
      address,
      cause: causes.get(reason) ?? 'listed',
      provider: 'mandrill',
      ...(since && { since }),
      ...(expiresAt && { expiresAt }),
      ...(detail !== undefined && { detail }),
      ...(subaccount !== undefined && { scope: { kind: 'group', id: subaccount } }),
    },
  ]
}
