import { ConfigurationError } from './errors.js'
import type { Webhook } from './provider.js'
import type { Store } from './store.js'

const defaultForeignAfter = 5 * 60_000
const longestGrace = 366 * 24 * 60 * 60_000

export interface CorrelatorOptions {
  /** Where messages and events are kept: `sqliteStore(path)`, `memoryStore()` or another. */
  store: Store
  /** The providers' webhooks: `sendgridWebhook({ publicKey })` and so on. */
  webhooks?: readonly Webhook[]
  /**
   * How long an event waits for its message before it is told as foreign, in ms; default five
   * minutes. With 0 it is told at once.
   */
  foreignAfter?: number
}

/**
 * What was given, with the defaults for the rest.
 *
 * @throws ConfigurationError for whatever would only fail later, or never be noticed
 */
export function checkedCorrelatorOptions(
  options: Partial<CorrelatorOptions> = {},
): Required<CorrelatorOptions> {
  const { store, webhooks = [], foreignAfter = defaultForeignAfter } = options
  if (!hasMethods(store, 'addMessage', 'ingest')) {
    throw new ConfigurationError(
      "createCorrelator: store is missing: say where events are kept, with sqliteStore('mailtrail.db') or memoryStore()",
    )
  }
  if (typeof foreignAfter !== 'number' || !(foreignAfter >= 0 && foreignAfter <= longestGrace)) {
    throw new ConfigurationError(
      `createCorrelator: foreignAfter must be a number of ms from 0 to ${longestGrace}, a year`,
    )
  }
  if (!Array.isArray(webhooks)) {
    throw new ConfigurationError('createCorrelator: webhooks must be a list')
  }
  const names = new Set<string>()
  for (const webhook of webhooks) {
    if (!hasMethods(webhook, 'read')) {
      throw new ConfigurationError(
        'createCorrelator: webhooks holds something that is no webhook: it takes what the webhook functions return',
      )
    }
    const { name } = webhook
    if (!/^[\w.-]+$/.test(name)) {
      throw new ConfigurationError(
        `createCorrelator: the webhook name ${JSON.stringify(name)} cannot end a path`,
      )
    }
    if (names.has(name)) {
      throw new ConfigurationError(
        `createCorrelator: two webhooks are named ${JSON.stringify(name)}: give the second one a name of its own, with its option name`,
      )
    }
    names.add(name)
  }
  return { store, webhooks, foreignAfter: Math.round(foreignAfter) }
}

function hasMethods<T>(value: T | undefined, ...names: string[]): value is T & object {
  return (
    typeof value === 'object' &&
    value !== null &&
    names.every((name) => typeof Reflect.get(value, name) === 'function')
  )
}
