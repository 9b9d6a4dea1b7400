import { checkedTime } from './checked-time.js'
import type { EventOf, EventType, MailEvent } from './event.js'
import { canonicalAddress, labelsOf } from './matching.js'
import type { RecipientStatus } from './message.js'
import { misspeltOption } from './misspelt-option.js'
import { checkedPaging, pageOf, type Paging } from './paging.js'
import { messagesLookedAt, recipientHealth, type RecipientHealth } from './recipient-health.js'
import { readStatistics, type Statistics, type StatisticsQuery } from './statistics.js'
import { recipientStatuses } from './status.js'
import type { Store } from './store.js'
import { inStore } from './in-store.js'
import { readMessage, storedAddress } from './stored-message.js'
import type { Suppressions } from './suppressions.js'
import { type FoundMessage, toFoundMessage, type TrackedMessage } from './tracked-message.js'
import type { Waiting, WaitOptions } from './waiting.js'

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

/** What can be asked of what is stored. */
export interface Questions {
  /** A message and what became of it; undefined when it was never recorded. */
  message(trackingId: string): Promise<TrackedMessage | undefined>
  /**
   * Messages, the newest first. There are more of them while a `cursor` comes along.
   *
   * @throws TypeError for a status that is none, a time that is no date, a limit that is no whole number from 1, or an option that is
   * none
   */
  find(
    query?: MessageQuery,
    paging?: Paging,
  ): Promise<{ messages: FoundMessage[]; cursor?: string }>
  /**
   * Resolves with a message's event of this type, at once when it is there already; listeners may be told of it
   * only afterwards.
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
  /**
   * How mail to an address has fared lately, and whether it may be mailed.
   *
   * @throws TypeError for what is no address
   */
  recipientHealth(address: string): Promise<RecipientHealth>
}

export function createQuestions(
  store: Store,
  waiting: Pick<Waiting, 'waitFor'>,
  suppressions: Pick<Suppressions, 'get'>,
): Questions {
  return {
    async message(trackingId) {
      const stored = await readMessage(store, trackingId)
      // The core knows no provider's payload, so its events are untyped in that respect.
      return (
        stored && { ...toFoundMessage(stored, Date.now()), events: stored.events as MailEvent[] }
      )
    },

    async find({ provider, recipient, status, tag, metadata, from, to, ...unknown } = {}, paging) {
      // It would find what was not asked for.
      const misspelt = misspeltOption('find', unknown)
      if (misspelt !== undefined) throw new TypeError(misspelt)
      if (status !== undefined && !recipientStatuses.includes(status)) {
        const known = recipientStatuses.join(', ')
        throw new TypeError(`find: a recipient is never ${JSON.stringify(status)}, but ${known}`)
      }
      const { limit, cursor } = checkedPaging('find', paging)
      const query = {
        ...(provider !== undefined && { provider }),
        ...(recipient !== undefined && { address: canonicalAddress(recipient) }),
        ...(status !== undefined && { status }),
        ...(from !== undefined && { from: checkedTime(from, 'find: from') }),
        ...(to !== undefined && { to: checkedTime(to, 'find: to') }),
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

    stats: (query) => readStatistics(store, query),

    async recipientHealth(address) {
      const canonical = canonicalAddress(address)
      if (!canonical.includes('@')) throw new TypeError('recipientHealth: an address is needed')
      const [stored, reasons] = await Promise.all([
        inStore('looking for messages', () => store.find({ address: canonical }, messagesLookedAt)),
        suppressions.get(canonical),
      ])
      return {
        ...recipientHealth(storedAddress(store, canonical), stored, reasons),
        address: canonical,
      }
    },
  }
}
