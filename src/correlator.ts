import { randomUUID } from 'node:crypto'
import { type AlarmListener, createAlarmListeners } from './alarm-listeners.js'
import { backfill, type BackfillOptions, type BackfillProgress } from './backfill.js'
import { checkedCorrelatorOptions, type CorrelatorOptions } from './correlator-options.js'
import { createDeadLetters, type DeadLetters } from './dead-letters.js'
import { createDispatcher } from './dispatcher.js'
import { createErrorReporter } from './error-reporter.js'
import { createHealthCounter, type EndpointHealth } from './endpoint-health.js'
import {
  ConfigurationError,
  type CorrelatorError,
  StoreError,
  type WebhookError,
} from './errors.js'
import type { QueuedEvents, QueuedResult } from './event-queue.js'
import { createEventIntake } from './event-intake.js'
import type { EventType, MailEvent } from './event.js'
import { type FetchHandler, fetchHandler } from './fetch-handler.js'
import { createListeners, type EventListener, type ListenerOptions } from './listeners.js'
import { canonicalAddress, writtenForms } from './matching.js'
import type { SentMessage } from './message.js'
import { type NodeHandler, nodeHandler } from './node-handler.js'
import { createObserving } from './observing.js'
import type { EventHistory, SendRecorder } from './provider.js'
import { createQueueDispatcher } from './queue-dispatcher.js'
import { createQueueTelling } from './queue-telling.js'
import { createQuestions, type Questions } from './questions.js'
import { type RecordedMessage, toRecord } from './recorded-message.js'
import { prune, type Retention } from './retention.js'
import { inStore } from './in-store.js'
import { inTime } from './in-time.js'
import { createSendRecorder } from './send-recorder.js'
import type { Schedule, Tellable } from './store.js'
import { createSuppressions, type Suppressions } from './suppressions.js'
import { createWaiting } from './waiting.js'
import { createWebhookHandler } from './webhook-handler.js'
import { routeByName } from './webhook-routes.js'

/** How long closing waits for listeners, in ms. */
const defaultCloseTimeout = 10_000

/** How long a measurement waits for the store, in ms. */
const longestAnswer = 5000
const tooSlow = (): Error => new Error('the store did not answer in time')

/** Called with a webhook request that was refused, and why. */
export type RefusedListener = (refusal: WebhookError) => unknown

/** Records messages, takes webhooks, matches events to messages and tells listeners. */
export interface Correlator extends SendRecorder, Questions {
  /** Listens to one type of event, or several. The returned function ends it. */
  on<T extends EventType>(
    types: T | readonly T[],
    listener: EventListener<T>,
    options?: ListenerOptions,
  ): () => void
  /** Listens to webhook requests that were refused, and why: what their callers are never told. */
  on(type: 'refused', listener: RefusedListener): () => void
  /** Listens to alarms: too many messages are not sent, one was not that must be, or events stay away. */
  on(type: 'alarm', listener: AlarmListener): () => void
  /** Listens to every event. The returned function ends it. */
  onAny(
    listener: (event: MailEvent, message: SentMessage | undefined) => unknown,
    options?: ListenerOptions,
  ): () => void
  /** Listens for the next event of a type, and no further. */
  once<T extends EventType>(types: T | readonly T[], listener: EventListener<T>): () => void
  /** Takes a listener away again, for one type or several. */
  off<T extends EventType>(types: T | readonly T[], listener: EventListener<T>): void
  /** Takes a listener of refused requests away again. */
  off(type: 'refused', listener: RefusedListener): void
  /** Takes a listener of alarms away again. */
  off(type: 'alarm', listener: AlarmListener): void
  /**
   * Listens to what goes wrong where nobody waits for an answer: refused webhooks, failing
   * listeners, a failing store. Without such a listener the first of each kind is a process warning.
   */
  onError(listener: (error: CorrelatorError) => unknown): () => void

  /** The webhook endpoint for servers that speak fetch. */
  readonly handler: FetchHandler
  /** The webhook endpoint for `node:http`, Express, Connect and the like. */
  readonly nodeHandler: NodeHandler
  /**
   * Resolves when every stored event was told, those that wait for their message included; at once
   * in a process where nobody listens, for what is stored then is left to others: with a queue, when that
   * has what came in here.
   */
  drain(): Promise<void>

  /**
   * Tells the listeners of this process what a job of the queue brings. For whoever runs its jobs:
   * `eventProcessor(correlator)` does.
   */
  tellQueued(queued: QueuedEvents): Promise<QueuedResult>

  /** What came in at the webhooks of this process so far: whether they come, how late, and what was refused. */
  health(): EndpointHealth

  /** The addresses that must not be mailed. */
  readonly suppressions: Suppressions
  /**
   * Fetches the events of a span from the provider, and stores and tells those that no webhook has told, as
   * webhooks do. A run that was cut off is taken up where it was.
   *
   * @throws HistoryError when the provider does not answer
   */
  backfill(history: EventHistory, options: BackfillOptions): Promise<BackfillProgress>
  /** Records mail that was sent by other means, and resolves to our id of it. */
  record(message: RecordedMessage): Promise<string>
  /** Removes what is older than it is to be kept. Resolves to how much that was. */
  prune(retention: Retention): Promise<number>
  /**
   * Takes an address out of everything that is stored, as somebody may ask for: `forgotten-…@forgotten.invalid` stands
   * in its place, payloads and contents that had it are gone, and so are its suppressions. What became of its messages
   * and what was counted stays. Resolves to how many messages and events had it.
   */
  forget(address: string): Promise<number>
  /** The events that some listener did not take in all its attempts. */
  readonly deadLetters: DeadLetters
  /**
   * Ends telling and closes the store. What is being told is waited for, for up to `timeout` ms
   * (default ten seconds); what is still to be told is left to other processes, or to the next start.
   */
  close(options?: { timeout?: number }): Promise<void>
}

/**
 * Records messages, takes webhooks, matches what they tell to the message that was sent, and tells listeners.
 *
 * ```ts
 * const correlator = createCorrelator({
 *   store: sqliteStore('mailtrail.db'),
 *   webhooks: [sendgridWebhook({ publicKey: 'MFkwEwYHKoZIzj0C…' })],
 * })
 * correlator.on('bounced', (event, message) => console.log(event.recipient, message?.subject))
 * http.createServer(correlator.nodeHandler).listen(3000)
 * ```
 *
 * @throws ConfigurationError when the store is missing, an option is wrong, or two webhooks have
 * one name
 */
export function createCorrelator(options: CorrelatorOptions): Correlator {
  const checked = checkedCorrelatorOptions(options)
  const { store, queue, webhooks, foreignAfter, recipientWindow, listenerTimeout } = checked
  const health = createHealthCounter(webhooks)
  const listeners = createListeners()
  const { observers } = checked
  const observing = createObserving(observers)
  const errors = createErrorReporter(observing)
  const alarms = createAlarmListeners(store, checked.alarms, errors.report, observing)
  const telling = { timeout: listenerTimeout, told: health.told, observing }
  const dispatcher = queue
    ? createQueueDispatcher(store, queue, listeners, errors.report)
    : createDispatcher(store, listeners, errors.report, telling)
  const queueTelling = createQueueTelling(store, listeners, errors.report, telling)
  const waiting = createWaiting(store)

  const schedule = (): Schedule => {
    const now = Date.now()
    const lease = dispatcher.lease(now)
    return { now, foreignAt: now + foreignAfter, ...(lease && { lease }) }
  }

  function tell({ deliveries, left }: Tellable, trackingIds: readonly string[]): void {
    waiting.notice(trackingIds)
    dispatcher.push(deliveries)
    if (left > 0) dispatcher.wakeSoon()
  }

  const { ingest, storePage } = createEventIntake({
    store,
    webhooks,
    recipientWindow,
    observing,
    schedule,
    tell,
    stored: health.stored,
    wakeAt: (time) => dispatcher.wakeAt(time),
  })

  const suppressions = createSuppressions(store)

  const handle = createWebhookHandler({
    ...checked,
    route: routeByName(webhooks),
    ingest,
    refused(error) {
      health.request(error.webhook, error.reason)
      errors.report(error)
    },
    failed(webhook, error) {
      health.request(webhook.name, 'failed')
      errors.report(error)
    },
    tried: ({ name }) => health.request(name, 'tried'),
    observing,
  })

  const { recorder, close: writeUnwritten } = createSendRecorder({
    store,
    schedule,
    tell,
    sent: alarms.sent,
    observers,
    reportError: errors.report,
  })

  const unwatch = observing.watch({
    untold: () => dispatcher.untold(),
    async overdue() {
      const due = await inTime(longestAnswer, tooSlow, () => store.nextDue())
      return due === undefined ? 0 : Math.max(Date.now() - due, 0)
    },
  })

  // What keeps it from opening is told at the start, and not with the first webhook that is lost.
  store.open().catch((error: unknown) => errors.report(new StoreError('opening', error)))

  /** Events that an earlier process left untold are told once somebody listens. */
  function listening(stop: () => void): () => void {
    dispatcher.wakeAt(Date.now())
    return stop
  }

  type Listened = EventType | readonly EventType[] | 'refused' | 'alarm'
  type Listener = EventListener & RefusedListener & AlarmListener

  const on = (types: Listened, listener: Listener, named?: ListenerOptions): (() => void) => {
    if (types === 'refused') return errors.onRefused(listener)
    if (types === 'alarm') return alarms.on(listener)
    return listening(listeners.add(types, listener, named))
  }

  const off = (types: Listened, listener: Listener): void => {
    if (types === 'refused') errors.offRefused(listener)
    else if (types === 'alarm') alarms.off(listener)
    else listeners.remove(types, listener)
  }

  return {
    ...recorder,
    ...createQuestions(store, waiting, suppressions),
    on,
    onAny: (listener, named) => listening(listeners.add('any', listener, named)),
    once: (types, listener) => listening(listeners.add(types, listener, { once: true })),
    off,
    onError: errors.on,
    handler: fetchHandler(handle),
    nodeHandler: nodeHandler(handle),
    drain: () => dispatcher.drain(),
    health: health.report,

    async tellQueued(queued) {
      // Its own dispatcher would tell them at the same time.
      if (!queue) throw new ConfigurationError('createCorrelator: queue is missing')
      const result = await queueTelling.run(queued)
      // What came after something that was given up is nobody's by now.
      if (queued.last) dispatcher.wakeSoon()
      return result
    },

    suppressions,

    backfill: (history, span) => backfill(history, span, { store, storePage }),

    async record(message) {
      const record = toRecord(message)
      await recorder.recordSending(record)
      return record.trackingId
    },

    prune: (retention) => prune(store, retention, Date.now()),

    async forget(address) {
      const canonical = canonicalAddress(address)
      if (!canonical.includes('@')) throw new TypeError('forget: an address is needed')
      const pseudonym = `forgotten-${randomUUID()}@forgotten.invalid`
      return inStore('forgetting an address', () =>
        store.forget(canonical, writtenForms(address), pseudonym),
      )
    },

    deadLetters: createDeadLetters(store, () => dispatcher.wakeAt(Date.now())),

    async close({ timeout = defaultCloseTimeout } = {}) {
      unwatch()
      alarms.close()
      await writeUnwritten()
      await Promise.all([dispatcher.close(timeout), queueTelling.close(timeout)])
      await store.close()
    },
  }
}
