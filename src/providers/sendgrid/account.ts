import {
  type AccountCaller,
  accountCaller,
  endedInspection,
  otherAnswer,
} from '../../account-caller.js'
import { fields, isFields, text, time } from '../../payload.js'
import type { Finding, ProviderAccount } from '../../provider-kit.js'
import type { RegisteredWebhook } from '../../simulator.js'
import type { SuppressionEntry } from '../../suppressions.js'
import { credentials } from './credentials.js'

export const settingsPath = '/v3/user/webhooks/event/settings/all'
export const listPaths = {
  bounced: '/v3/suppression/bounces',
  complained: '/v3/suppression/spam_reports',
  unsubscribed: '/v3/suppression/unsubscribes',
} as const

/** The names of events in the settings of a webhook, which are not those in its posts. */
export const eventFlags = [
  'processed',
  'deferred',
  'delivered',
  'bounce',
  'dropped',
  'open',
  'click',
  'spam_report',
  'unsubscribe',
  'group_unsubscribe',
  'group_resubscribe',
] as const

/** How many entries of a list are asked for at once. */
const listedAtOnce = 500

/** What is asked of a SendGrid account: its event webhooks, and its suppression lists. */
export function sendgridAccount(given: {
  apiKey?: string | undefined
  baseUrl?: string | undefined
}): ProviderAccount {
  const { apiKey, baseUrl } = credentials('sendgridAccount', given)
  const call = accountCaller('SendGrid', [apiKey])
  const headers = { authorization: `Bearer ${apiKey}` }
  const get = (path: string) => call({ method: 'GET', url: baseUrl + path, headers })
  return {
    async inspect() {
      try {
        const { body, answeredAt } = await get(settingsPath)
        const { webhooks } = fields(body)
        if (!Array.isArray(webhooks)) throw otherAnswer('SendGrid', answeredAt)
        return {
          webhooks: webhooks.filter(isFields).map(readWebhook),
          findings: [],
          ...(answeredAt && { answeredAt }),
        }
      } catch (error) {
        return endedInspection(error, refusal)
      }
    },
    async *suppressions() {
      for (const cause of ['bounced', 'complained', 'unsubscribed'] as const) {
        yield* readList(get, cause)
      }
    },
  }
}

function readWebhook(settings: Record<string, unknown>): RegisteredWebhook {
  const key = text(settings['public_key'])
  return {
    url: text(settings['url']) ?? '',
    enabled: settings['enabled'] === true,
    events: eventFlags.filter((name) => settings[name] === true),
    signing: key === undefined ? { kind: 'none' } : { kind: 'key', key },
  }
}

function refusal(status: number, message: string): Finding | undefined {
  if (status === 401 && /\bregion/i.test(message)) {
    return {
      code: 'wrong-region',
      severity: 'fault',
      what: `The API key belongs to another region than this base URL: ${message}.`,
      todo: 'For an EU subuser set SENDGRID_URL=https://api.eu.sendgrid.com, and leave it out for everybody else.',
    }
  }
  if (status === 401) {
    return {
      code: 'api-key-refused',
      severity: 'fault',
      what: `SendGrid does not know this API key: ${message}.`,
      todo: 'Make a new one in SendGrid under Settings, API Keys, and set it as SENDGRID_API_KEY.',
    }
  }
  if (status === 403) {
    return {
      code: 'api-key-limited',
      severity: 'warning',
      what: 'The API key may not read the settings of the event webhook, so nobody can say whether it is registered.',
      todo: 'Give the doctor a key with the scope user.webhooks.event.settings.read; the one that sends needs no more than mail.send.',
    }
  }
  return undefined
}

async function* readList(
  get: (path: string) => ReturnType<AccountCaller>,
  cause: keyof typeof listPaths,
): AsyncGenerator<SuppressionEntry> {
  for (let offset = 0; ; offset += listedAtOnce) {
    const { body } = await get(`${listPaths[cause]}?limit=${listedAtOnce}&offset=${offset}`)
    if (!Array.isArray(body)) throw otherAnswer('SendGrid', undefined)
    const entries = body.filter(isFields)
    for (const entry of entries) {
      const address = text(entry['email'])
      const since = time(entry['created'])
      const detail = text(entry['reason'])
      if (address === undefined) continue
      yield {
        address,
        cause,
        provider: 'sendgrid',
        ...(since && { since }),
        ...(detail !== undefined && { detail }),
      }
    }
    if (entries.length < listedAtOnce) return
  }
}
