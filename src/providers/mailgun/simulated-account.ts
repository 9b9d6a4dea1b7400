import { wholeNumber } from '../../payload.js'
import type { ApiAnswer, ApiRequest, SimulatedAccount } from '../../simulator.js'
import { lists } from './account.js'
import { errorAnswer, isAuthorized, jsonAnswer, textAnswer } from './simulated-answers.js'

export interface AccountOwner {
  apiKey: string
  domain: string
  signingKey: string
  account: SimulatedAccount
}

/** The answer to a call for the webhooks, the signing key or the lists of the account; undefined for any other. */
export function answerAccount(
  request: ApiRequest,
  { apiKey, domain, signingKey, account }: AccountOwner,
): ApiAnswer | undefined {
  const { method, path } = request
  const [pathname = '', search = ''] = path.split('?')
  const [, webhooksOf] = /^\/v3\/domains\/([^/]+)\/webhooks$/.exec(pathname) ?? []
  const [, listOf, list] = /^\/v3\/([^/]+)\/(bounces|complaints|unsubscribes)$/.exec(pathname) ?? []
  const ofAccount = pathname === '/v1/webhooks' || pathname === '/v5/accounts/http_signing_key'
  const asked = webhooksOf ?? listOf
  if (method !== 'GET' || (!ofAccount && asked === undefined)) return undefined
  if (!isAuthorized(request, apiKey)) return textAnswer(401, 'text/html', 'Forbidden')
  if (pathname === '/v1/webhooks') return jsonAnswer(200, { webhooks: [] })
  if (ofAccount) return jsonAnswer(200, { message: 'success', http_signing_key: signingKey })
  if (asked !== domain) return errorAnswer(404, `Domain not found: ${asked}`)
  return list === undefined
    ? jsonAnswer(200, { webhooks: byEvent(account) })
    : jsonAnswer(200, pageOf(list, domain, new URLSearchParams(search), account))
}

function byEvent({ webhooks = [] }: SimulatedAccount): Record<string, { urls: string[] }> {
  const events = new Set(webhooks.flatMap((webhook) => webhook.events))
  return Object.fromEntries(
    [...events].map((event) => [
      event,
      {
        urls: webhooks.filter((webhook) => webhook.events.includes(event)).map(({ url }) => url),
      },
    ]),
  )
}

/** Each page leads to the next, also the last one: to an empty one. */
function pageOf(
  list: string,
  domain: string,
  query: URLSearchParams,
  { suppressions = [] }: SimulatedAccount,
): unknown {
  const [, cause] = lists.find(([name]) => name === list) ?? []
  const limit = wholeNumber(query.get('limit') ?? '100') ?? 100
  const start = wholeNumber(query.get('address') ?? '0') ?? 0
  const listed = suppressions.filter((entry) => entry.cause === cause)
  const items = listed.slice(start, start + limit).map(({ address, since, detail }) => ({
    address,
    created_at: since.toUTCString(),
    ...(cause === 'bounced' && { code: '550', error: detail ?? '' }),
    ...(cause === 'unsubscribed' && { tags: ['*'] }),
  }))
  const next = `https://api.mailgun.net/v3/${domain}/${list}?page=next&address=${start + limit}&limit=${limit}`
  return { items, paging: { next } }
}
