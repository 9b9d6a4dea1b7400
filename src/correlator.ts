import { randomUUID } from 'node:crypto'
import { type AlarmListener, createAlarmListeners } from './alarm-listeners.js'
import {
  backfill,
  type BackfillOptions,
  type BackfillProgress,
  type StorePage,
} from './backfill.js'
import { checkedCorrelatorOptions, type CorrelatorOptions } from './correlator-options.js'
import { createDeadLetters, type DeadLetters } from './dead-letters.js'
import { createDispatcher } from './dispatcher.js'
import { createErrorReporter } from './error-reporter.js'
import { createHealthCounter, type EndpointHealth } from './endpoint-health.js'
import { type CorrelatorError, StoreError, type WebhookError } from './errors.js'
import type { EventOf, EventType, MailEvent } from './event.js'
import { type FetchHandler, fetchHandler } from './fetch-handler.js'
import { createListeners, type EventListener, type ListenerOptions } from './listeners.js'
import { canonicalAddress, labelsOf, messageKeys, toIncoming, writtenForms } from './matching.js'
import {
  type MessageRecord,
  type RecipientStatus,
  type SendResult,
  type SentMessage,
  withResult,
} from './message.js'
import { type NodeHandler, nodeHandler } from './node-handler.js'
import { checkedPaging, pageOf, type Paging } from './paging.js'
import type { EventHistory, SendRecorder } from './provider.js'
import { messagesLookedAt, recipientHealth, type RecipientHealth } from './recipient-health.js'
import { type RecordedMessage, toRecord } from './recorded-message.js'
import { prune, type Retention } from './retention.js'
import { readStatistics, type Statistics, type StatisticsQuery } from './statistics.js'
import type { Schedule, Store, Tellable } from './store.js'
import { scopeKey } from './suppression.js'
import { createSuppressions, inForce, type Suppressions } from './suppressions.js'
import { type FoundMessage, toFoundMessage, type TrackedMessage } from './tracked-message.js'
import { createUnwrittenResults } from './unwritten-results.js'
import { createWaiting, type WaitOptions } from './waiting.js'
import { createWebhookHandler, type Ingest, routeByName } from './webhook-handler.js'

/** How long closing waits for listeners, in ms. */
const defaultCloseTimeout = 10_000

/** Called with a webhook request that was refused, and why. */
export type RefusedListener = (refusal: WebhookError) => unknown

/** Which messages are looked for: those that fit everything given. */
export interface MessageQuery {
  provider?: string
  recipient?: string
  /** The status of that recipient, or else of any. */
  status?: RecipientStatus
  tag?: string
  /** It must have all of these. */
  metadata?: Readonly<Record<string, string>>
  /** Sent at that time or later. */
  from?: Date
  /** Sent before that time. */
  to?: Date
}

/** Records messages, takes webhooks, matches events to messages and tells listeners. */
export interface Correlator extends SendRecorder {
  /** Listens to one type of event, or several. The returned function ends it. */
  on<T extends EventType>(
    types: T | readonly T[],
    listener: EventListener<T>,
    options?: ListenerOptions,
  ): () => void
  /** Listens to webhook requests that were refused, and why: what their callers are never told. */
  on(type: 'refused', listener: RefusedListener): () => void
  /** Listens to alarms: too many messages fail, one failed that must not, or events stay away. */
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
  off(type: 'refused', listener: RefusedListener): void
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
   * in a process where nobody listens, for what is stored then is left to others.
   */
  drain(): Promise<void>

  /** What came in at the webhooks of this process so far: whether they come, how late, and what was refused. */
  health(): EndpointHealth

  /** A message and what became of it; undefined when it was never recorded. */
  message(trackingId: string): Promise<TrackedMessage | undefined>
  /** Messages, the newest first. There are more of them while a `cursor` comes along. */
  find(
    query?: MessageQuery,
    paging?: Paging,
  ): Promise<{ messages: FoundMessage[]; cursor?: string }>
  /**
   * Resolves with a message's event of this type, at once when it is there already.
   *
   * @throws WaitError when a final status rules it out, or the time is over
   */
  waitFor<T extends EventType>(
    trackingId: string,
    type: T,
    options?: WaitOptions,
  ): Promise<EventOf<T>>
  /** How many messages were sent in a span, and what became of them. */
  stats(query?: StatisticsQuery): Promise<Statistics>
  /** How mail to an address has fared lately, and whether it may be mailed. */
  recipientHealth(address: string): Promise<RecipientHealth>
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
 * @throws ConfigurationError when the store is missing, an option is wrong, or two webhooks have
 * one name
 */
export function createCorrelator(options: CorrelatorOptions): Correlator {
  const checked = checkedCorrelatorOptions(options)
  const { store, webhooks, foreignAfter, recipientWindow, listenerTimeout } = checked
  const health = createHealthCounter(webhooks)
  // A reply may come in at another provider than the one that its message went out through.
  const providers = new Set(webhooks.map(({ provider }) => provider))
  const listeners = createListeners()
  const errors = createErrorReporter()
  const alarms = createAlarmListeners(store, checked.alarms, errors.report)
  const dispatcher = createDispatcher(store, listeners, errors.report, {
    timeout: listenerTimeout,
    told: health.told,
  })
  const readMessage: Store['message'] = (trackingId) =>
    inStore('reading a message', () => store.message(trackingId))
  const storedAddress = (canonical: string): string => store.storedAddress?.(canonical) ?? canonical
  const waiting = createWaiting(readMessage, storedAddress)

  const schedule = (): Schedule => {
    const now = Date.now()
    const lease = dispatcher.lease(now)
    return { now, foreignAt: now + foreignAfter, ...(lease && { lease }) }
  }

  /** Does something with the store; what fails there is a `StoreError`. */
  async function inStore<T>(doing: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw new StoreError(doing, error)
    }
  }

  function tell({ deliveries, left }: Tellable, trackingIds: readonly string[]): void {
    waiting.notice(trackingIds)
    dispatcher.push(deliveries)
    if (left > 0) dispatcher.wakeSoon()
  }

  const ingest: Ingest = async (webhook, parsed, nonce, receivedAt) => {
    const events = parsed.map((event) =>
      toIncoming(webhook.provider, event, receivedAt, recipientWindow, providers),
    )
    const times = schedule()
    const result = await inStore('storing a webhook', () =>
      store.ingest({ events, ...(nonce && { nonce }) }, times),
    )
    if (result.kind === 'replayed') return 'replayed'
    health.stored(
      webhook.name,
      events.map(({ event }) => event),
      result,
      receivedAt,
    )
    tell(result, result.trackingIds)
    if (result.waiting > 0) dispatcher.wakeAt(times.foreignAt)
    return 'stored'
  }

  const suppressions = createSuppressions(store, inStore)

  const storePage: StorePage = async (provider, parsed, checkpoint) => {
    const receivedAt = new Date()
    const events = parsed.map((event) =>
      toIncoming(provider, event, receivedAt, recipientWindow, providers),
    )
    const times = schedule()
    const result = await inStore('storing a page of a history', () =>
      store.ingest({ events, checkpoint }, times),
    )
    // A page has no token of its own, by which it could be known again.
    if (result.kind === 'replayed') return { duplicates: events.length }
    tell(result, result.trackingIds)
    if (result.waiting > 0) dispatcher.wakeAt(times.foreignAt)
    return result
  }

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
  })

  async function writeResult(record: MessageRecord, result: SendResult): Promise<void> {
    const keys = messageKeys({ ...record, ...result })
    tell(
      await inStore('recording the result of a send', () =>
        store.addResult(record.trackingId, result, keys, schedule()),
      ),
      [record.trackingId],
    )
  }
  const unwritten = createUnwrittenResults(writeResult)

  const recorder: SendRecorder = {
    async recordSending(record) {
      alarms.sent(record)
      tell(
        await inStore('recording a message', () =>
          store.addMessage(record, messageKeys(record), schedule()),
        ),
        [record.trackingId],
      )
    },

    async recordResult(record, result) {
      alarms.sent(withResult(record, result))
      try {
        await writeResult(record, result)
      } catch (error) {
        unwritten.keep(record, result)
        throw error
      }
    },

    async suppressionsOf(provider, addresses, groups) {
      const known = await inStore('reading suppressions', () => store.suppressionsOf(addresses))
      const scopes = new Set([
        scopeKey({ kind: 'all' }),
        ...groups.map((id) => scopeKey({ kind: 'group', id }, provider)),
      ])
      const now = Date.now()
      return known
        .filter(({ scope }) => scopes.has(scope))
        .flatMap((stored) => inForce(stored, now))
    },

    reportError: errors.report,
  }

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
    on,
    onAny: (listener, named) => listening(listeners.add('any', listener, named)),
    once: (types, listener) => listening(listeners.add(types, listener, { once: true })),
    off,
    onError: errors.on,
    handler: fetchHandler(handle),
    nodeHandler: nodeHandler(handle),
    drain: () => dispatcher.drain(),
    health: health.report,

    async message(trackingId) {
      const stored = await readMessage(trackingId)
      // The core knows no provider's payload, so its events are untyped in that respect.
      return (
        stored && { ...toFoundMessage(stored, Date.now()), events: stored.events as MailEvent[] }
      )
    },

    async find({ provider, recipient, status, tag, metadata, from, to } = {}, paging) {
      const { limit, cursor } = checkedPaging('find', paging)
      const query = {
        ...(provider !== undefined && { provider }),
        ...(recipient !== undefined && { address: canonicalAddress(recipient) }),
        ...(status !== undefined && { status }),
        ...(from && { from: from.getTime() }),
        ...(to && { to: to.getTime() }),
        labels: labelsOf({
          ...(tag !== undefined && { tags: [tag] }),
          ...(metadata && { metadata }),
        }),
      }
      const found = await inStore('looking for messages', () =>
        store.find(query, limit + 1, cursor),
      )
      const { page, ...next } = pageOf(found, limit, ({ record }) => record.trackingId)
      const now = Date.now()
      return { messages: page.map((stored) => toFoundMessage(stored, now)), ...next }
    },

    async waitFor<T extends EventType>(trackingId: string, type: T, wait: WaitOptions = {}) {
      // It was found by its type, which no type can follow.
      return (await waiting.waitFor(trackingId, type, wait)) as EventOf<T>
    },

    stats: (query) => inStore('counting messages', () => readStatistics(store, query)),

    async recipientHealth(address) {
      const canonical = canonicalAddress(address)
      const [stored, reasons] = await Promise.all([
        inStore('looking for messages', () => store.find({ address: canonical }, messagesLookedAt)),
        suppressions.get(canonical),
      ])
      return { ...recipientHealth(storedAddress(canonical), stored, reasons), address: canonical }
    },

    suppressions,

    backfill: (history, span) => backfill(history, span, { store, storePage }),

    async record(message) {
      const record = toRecord(message)
      await recorder.recordSending(record)
      return record.trackingId
    },

    prune: (retention) => inStore('pruning', () => prune(store, retention, Date.now())),

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
      alarms.close()
      await unwritten.close()
      await dispatcher.close(timeout)
      await store.close()
    },
  }
}
