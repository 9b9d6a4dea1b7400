import type { Finding, ProviderKit } from '../provider-kit.js'
import type { RegisteredWebhook } from '../simulator.js'
import { type UrlDifference, urlDifferences } from './url-differences.js'

/** What is set on this side. */
export interface Expected {
  /** Where the provider is to post to. */
  url: string
  /** What its posts are verified with. */
  keys: readonly string[]
}

/** The webhook that is meant to be ours. */
export interface Registration {
  findings: Finding[]
  /** Where it really posts to. */
  url?: string
}

/** How what is registered at the provider differs from what is set here. */
export function compareWebhooks(
  kit: ProviderKit,
  webhooks: readonly RegisteredWebhook[],
  { url, keys }: Expected,
): Registration {
  const near = webhooks
    .flatMap((webhook) => {
      const differences = urlDifferences(url, webhook.url)
      return differences ? [{ webhook, differences }] : []
    })
    .toSorted((one, other) => one.differences.length - other.differences.length)
  const exact = near.filter(({ differences }) => differences.length === 0)
  const ours =
    exact.length > 0
      ? exact
      : near.filter(({ differences }) => !differences.includes('other-url')).slice(0, 1)
  const [first] = ours
  if (!first) return { findings: [missing(kit, webhooks, near.length > 0)] }
  const registered = ours.map(({ webhook }) => webhook)
  return {
    url: first.webhook.url,
    findings: [
      ...first.differences.map((difference) => drift(kit, difference, url)),
      ...keyFindings(kit, registered, keys),
      ...stateFindings(kit, registered),
    ],
  }
}

function missing(
  { title }: ProviderKit,
  webhooks: readonly RegisteredWebhook[],
  onHost: boolean,
): Finding {
  if (onHost) {
    return {
      code: 'other-url',
      severity: 'fault',
      what: `${title} posts to another path of this host, or with another query or user, than is set here.`,
      todo: 'Enter the same URL in both places, to the letter.',
    }
  }
  const others =
    webhooks.length === 0
      ? 'none is registered at all'
      : `${webhooks.length} are registered, all with other hosts`
  return {
    code: 'missing-webhook',
    severity: 'fault',
    what: `No webhook is registered at ${title} for this URL: ${others}. No event ever comes.`,
    todo: `Add the URL in ${title} as a webhook, with the events that are asked for.`,
  }
}

function drift(kit: ProviderKit, difference: UrlDifference, url: string): Finding {
  const { title, signsUrl } = kit
  const signed = signsUrl
    ? ' The URL is a part of what is signed, so every webhook is refused.'
    : ''
  switch (difference) {
    case 'wrong-scheme': {
      const [there, here] = /^https:/i.test(url) ? ['http', 'https'] : ['https', 'http']
      return {
        code: 'wrong-scheme',
        severity: 'fault',
        what: `${title} has the URL with ${there}, and here it is set with ${here}.${signed || ` ${title} follows no redirect to the other.`}`,
        todo: 'Enter the same URL in both places, with https.',
      }
    }
    case 'trailing-slash': {
      const [there, here] = /\/(?:\?|$)/.test(url) ? ['without', 'with'] : ['with', 'without']
      return {
        code: 'trailing-slash',
        severity: signsUrl ? 'fault' : 'warning',
        what: `${title} has the URL ${there} a slash at its end, and here it is set ${here} it.${signed || ' That is all the same to the handler; a framework before it may redirect.'}`,
        todo: 'Enter the same URL in both places, to the letter.',
      }
    }
    case 'other-url':
      return {
        code: 'other-url',
        severity: 'fault',
        what: `${title} posts to another URL than is set here.${signed}`,
        todo: 'Enter the same URL in both places, to the letter.',
      }
  }
}

function keyFindings(
  { title, isSameKey }: ProviderKit,
  registered: readonly RegisteredWebhook[],
  keys: readonly string[],
): Finding[] {
  if (registered.some(({ signing }) => signing.kind === 'none')) {
    return [
      {
        code: 'unsigned-webhook',
        severity: 'fault',
        what: `${title} does not sign what it posts there, so all of it is refused.`,
        todo: 'Turn signature verification on for the webhook, and set the key that is shown then.',
      },
    ]
  }
  // Where none is set, that is told as such.
  if (keys.length === 0) return []
  const unknown = registered.filter(
    ({ signing }) => signing.kind === 'key' && !keys.some((key) => isSameKey(key, signing.key)),
  )
  if (unknown.length === 0) return []
  if (registered.length > 1) {
    return [
      {
        code: 'two-apps',
        severity: 'fault',
        what: `At ${title} ${registered.length} webhooks are registered for this one URL, as two applications do, each with a key of its own; of ${unknown.length} the key is not set here, and what it posts is refused.`,
        todo: 'Give each application a URL of its own, or set all the keys, as a list.',
      },
    ]
  }
  return [
    {
      code: 'wrong-signing-key',
      severity: 'fault',
      what: `${title} signs with another key than the one that is set here, so every webhook is refused.`,
      todo: 'Copy the key of this webhook anew: every webhook and every account has its own, and it changes when it is made again.',
    },
  ]
}

function stateFindings(
  { title, neededEvents }: ProviderKit,
  registered: readonly RegisteredWebhook[],
): Finding[] {
  const findings: Finding[] = []
  if (registered.every(({ enabled }) => !enabled)) {
    findings.push({
      code: 'disabled-webhook',
      severity: 'fault',
      what: `The webhook is turned off at ${title}.`,
      todo: 'Turn it on; a provider does so by itself where an endpoint has failed for long.',
    })
  }
  const told = new Set(registered.flatMap(({ events }) => events))
  const lacking = neededEvents.filter((event) => !told.has(event))
  if (lacking.length > 0) {
    findings.push({
      code: 'missing-events',
      severity: 'fault',
      what: `The webhook does not tell of ${lacking.join(', ')}, so that is never known of a message.`,
      todo: `Tick these events for the webhook at ${title}.`,
    })
  }
  if (registered.some(({ lastError }) => lastError !== undefined)) {
    findings.push({
      code: 'failing-webhook',
      severity: 'warning',
      what: `A post to the webhook has failed, as ${title} has noted.`,
      todo: `Look at the webhook's last error at ${title}.`,
    })
  }
  return findings
}
