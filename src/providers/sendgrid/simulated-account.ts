import { wholeNumber } from '../../payload.js'
import type { SimulatedAccount } from '../../simulator.js'
import { eventFlags, listPaths, settingsPath } from './account.js'
import type { HistoryAnswer } from './simulated-history.js'

const lists = Object.entries(listPaths)

const pathOf = (path: string): string => path.replace(/\?.*$/, '')

export function isAccountPath(path: string): boolean {
  return path === settingsPath || lists.some(([, list]) => pathOf(path) === list)
}

/** The answer to a call for the webhooks or the suppression lists of the account; undefined for any other. */
export function answerAccount(
  path: string,
  scopes: readonly string[],
  { webhooks = [], suppressions = [] }: SimulatedAccount,
): HistoryAnswer | undefined {
  const forbidden = {
    status: 403,
    body: { errors: [{ field: null, message: 'access forbidden' }] },
  }
  if (path === settingsPath) {
    if (!scopes.includes('user.webhooks.event.settings.read')) return forbidden
    return { status: 200, body: { max_allowed: 5, webhooks: webhooks.map(written) } }
  }
  const [cause] = lists.find(([, list]) => pathOf(path) === list) ?? []
  if (cause === undefined) return undefined
  if (!scopes.includes('suppression.read')) return forbidden
  const query = new URLSearchParams(/\?.*$/.exec(path)?.[0])
  const offset = wholeNumber(query.get('offset') ?? '0') ?? 0
  const limit = wholeNumber(query.get('limit') ?? '500') ?? 500
  const listed = suppressions.filter((entry) => entry.cause === cause)
  return {
    status: 200,
    body: listed.slice(offset, offset + limit).map(({ address, since, detail }) => ({
      created: Math.floor(since.getTime() / 1000),
      email: address,
      ...(cause === 'bounced' && { reason: detail ?? '', status: '5.1.1' }),
    })),
  }
}

function written(
  { url, enabled, events, signing }: NonNullable<SimulatedAccount['webhooks']>[number],
  index: number,
): unknown {
  return {
    enabled,
    url,
    account_status_change: false,
    ...Object.fromEntries(eventFlags.map((name) => [name, events.includes(name)])),
    friendly_name: `webhook ${index + 1}`,
    id: `00000000-0000-4000-8000-00000000000${index}`,
    ...(signing.kind === 'key' && { public_key: signing.key }),
  }
}
