import { type AddressRanges, addressRanges } from './address-ranges.js'
import { type AlarmOptions, checkedAlarmOptions } from './alarm-conditions.js'
import { ConfigurationError } from './errors.js'
import type { EventQueue } from './event-queue.js'
import { hasMethods } from './has-methods.js'
import { longestTimer } from './in-time.js'
import { misspeltOption } from './misspelt-option.js'
import { type Logger, logTo } from './log-observer.js'
import type { Observer } from './observer.js'
import { checkedObservers } from './observing.js'
import type { Webhook } from './provider.js'
import type { Store } from './store.js'

const defaultForeignAfter = 5 * 60_000
const defaultListenerTimeout = 5 * 60_000

/** A provider on a slow line needs a second for each megabyte; who takes longer holds memory. */
export const defaultBodyTimeout = 60_000

// A year.
const longestGrace = 366 * 24 * 60 * 60_000

/** Where a correlator keeps what it knows, what it listens to and how it tells. */
export interface CorrelatorOptions {
  /** Where messages and events are kept: `sqliteStore(path)`, `memoryStore()` or another. */
  store: Store
  /**
   * Brings events to listeners in other processes, as `bullmqQueue(queue)` does. Then listeners of a process are told
   * only by the jobs that are run there, and all processes on one store need the same queue.
   */
  queue?: EventQueue
  /** The providers' webhooks: `sendgridWebhook({ publicKey })` and so on. */
  webhooks?: readonly Webhook[]
  /**
   * How long an event waits for its message before it is told as foreign, in ms; default five
   * minutes. With 0 it is told at once.
   */
  foreignAfter?: number
  /**
   * How long after a message was sent, in ms, an event without any id is matched to it by its
   * recipient alone, as asynchronous bounces may come; never when left out. It matches where one
   * message alone fits, and says so: `correlation.via` is `recipient`.
   */
  recipientWindow?: number
  /**
   * How long a listener may take with an event, in ms, before that counts as a failure and it is
   * told again; default five minutes.
   */
  listenerTimeout?: number
  /** How long the body of a webhook request may take to come, in ms; default one minute. */
  bodyTimeout?: number
  /**
   * Proxies in front of the server, whose word about the caller's address (`X-Forwarded-For`) is
   * taken: addresses, CIDR ranges, `loopback`, `private`. By default none is trusted. Guards by
   * address need it behind a proxy.
   */
  trustedProxies?: readonly string[]
  /** What `alarm` listeners are told of; without such a listener nothing is watched. */
  alarms?: AlarmOptions
  /**
   * Told of what happens, for metrics and traces: `openTelemetry(api)`, `prometheus(client)` or your own. The
   * transports that have this correlator tell them too.
   */
  observers?: readonly Observer[]
  /** Where a line is written of whatever happens, such as `pino()`, a winston logger, or `console`. */
  logger?: Logger
}

type CheckedOptions = Required<
  Omit<CorrelatorOptions, 'queue' | 'recipientWindow' | 'trustedProxies' | 'logger'>
> &
  Pick<CorrelatorOptions, 'queue' | 'recipientWindow'> & { trustedProxies: AddressRanges }

/**
 * What was given, with the defaults for the rest.
 *
 * @throws ConfigurationError for whatever would only fail later, or never be noticed
 */
export function checkedCorrelatorOptions(options: Partial<CorrelatorOptions> = {}): CheckedOptions {
  const {
    store,
    queue,
    webhooks = [],
    foreignAfter = defaultForeignAfter,
    recipientWindow,
    listenerTimeout = defaultListenerTimeout,
    bodyTimeout = defaultBodyTimeout,
    trustedProxies = [],
    alarms = {},
    observers = [],
    logger,
    ...unknown
  } = options
  const misspelt = misspeltOption('createCorrelator', unknown)
  if (misspelt !== undefined) throw new ConfigurationError(misspelt)
  if (!hasMethods(store, 'addMessage', 'ingest', 'claim')) {
    throw new ConfigurationError(
      "createCorrelator: store is missing: say where events are kept, with sqliteStore('mailtrail.db') or memoryStore()",
    )
  }
  if (queue !== undefined && !hasMethods(queue, 'add', 'waitingSince')) {
    throw new ConfigurationError(
      'createCorrelator: queue is none: it needs the methods add and waitingSince',
    )
  }
  checkTime('foreignAfter', foreignAfter, 0, longestGrace)
  if (recipientWindow !== undefined) {
    checkTime('recipientWindow', recipientWindow, 1, longestGrace)
  }
  checkTime('listenerTimeout', listenerTimeout, 1, longestTimer)
  checkTime('bodyTimeout', bodyTimeout, 1, longestTimer)
  // What is wrong with it is told at the start, and not when somebody listens.
  checkedAlarmOptions(alarms)
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
  return {
    store,
    webhooks,
    foreignAfter: Math.round(foreignAfter),
    listenerTimeout,
    bodyTimeout,
    alarms,
    observers: [
      ...checkedObservers('createCorrelator', observers),
      ...(logger === undefined ? [] : [logTo(logger)]),
    ],
    trustedProxies: addressRanges('createCorrelator: trustedProxies', trustedProxies),
    ...(queue !== undefined && { queue }),
    ...(recipientWindow !== undefined && { recipientWindow }),
  }
}

function checkTime(option: string, value: unknown, least: number, most: number): void {
  if (typeof value === 'number' && value >= least && value <= most) return
  throw new ConfigurationError(
    `createCorrelator: ${option} must be a number of ms from ${least} to ${most}, and is ${String(value)}`,
  )
}
