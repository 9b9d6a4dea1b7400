import type { MailEvent } from './event.js'
import { inStore } from './in-store.js'
import { listenerName } from './listeners.js'
import type { SentMessage } from './message.js'
import { checkedPaging, pageOf, type Paging } from './paging.js'
import type { Store, StoredDeadLetter } from './store.js'

/** An event that some listener did not take in all its attempts. */
export interface DeadLetter {
  event: MailEvent
  message: SentMessage | undefined
  /** The listeners that did not take it; the others are not told again. */
  failures: ListenerFailure[]
  givenUpAt: Date
}

/** Why one listener did not take an event. */
export interface ListenerFailure {
  /** The name of the listener, where it has one. */
  listener?: string
  attempts: number
  /** What it said the last time. */
  error: string
}

/** Events that a listener did not take however often it was told. */
export interface DeadLetters {
  /** Those whose events are the latest first. There are more of them while a `cursor` comes along. */
  list(paging?: Paging): Promise<{ deadLetters: DeadLetter[]; cursor?: string }>
  /**
   * Tells them again, one or several by the ids of their events, or all there are; only to the
   * listeners that did not take them.
   *
   * @returns how many there were
   */
  replay(eventIds?: string | readonly string[]): Promise<number>
}

/** How many are replayed in one transaction. */
const replayedAtOnce = 500

export function createDeadLetters(store: Store, replayed: () => void): DeadLetters {
  async function replay(eventIds: readonly string[]): Promise<number> {
    let count = 0
    for (let start = 0; start < eventIds.length; start += replayedAtOnce) {
      count += await store.replay(eventIds.slice(start, start + replayedAtOnce), Date.now())
    }
    return count
  }

  async function replayAll(): Promise<number> {
    const ids: string[] = []
    let page: StoredDeadLetter[]
    do {
      page = await store.deadLetters(replayedAtOnce, ids.at(-1))
      ids.push(...page.map(({ event }) => event.id))
    } while (page.length === replayedAtOnce)
    return replay(ids)
  }

  return {
    async list(paging) {
      const { limit, cursor } = checkedPaging('deadLetters.list', paging)
      const found = await inStore('reading dead letters', () =>
        store.deadLetters(limit + 1, cursor),
      )
      const { page, ...next } = pageOf(found, limit, ({ event }) => event.id)
      return { deadLetters: page.map(toDeadLetter), ...next }
    },

    async replay(eventIds) {
      try {
        return await inStore('replaying dead letters', () =>
          eventIds === undefined ? replayAll() : replay([eventIds].flat()),
        )
      } finally {
        replayed()
      }
    },
  }
}

function toDeadLetter({ event, message, progress, givenUpAt }: StoredDeadLetter): DeadLetter {
  const failures = Object.entries(progress).flatMap(([id, entry]): ListenerFailure[] => {
    if (entry.ended !== 'given-up') return []
    const listener = listenerName(id)
    const { attempts, error = '' } = entry
    return [{ ...(listener !== undefined && { listener }), attempts, error }]
  })
  // The core knows no provider's payload, so its events are untyped in that respect.
  return { event: event as MailEvent, message, failures, givenUpAt: new Date(givenUpAt) }
}
