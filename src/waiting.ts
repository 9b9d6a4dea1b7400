import { WaitError } from './errors.js'
import type { AnyEvent, EventType } from './event.js'
import { checkTypes } from './listeners.js'
import { canonicalAddress } from './matching.js'
import { messageStatus, recipientStatus } from './status.js'
import { readMessage, storedAddress } from './stored-message.js'
import type { Store } from './store.js'

// Events of this process are noticed at once; other processes' at the next look, in ms.
const lookInterval = 1000

/** How long, and for whose event, `waitFor` waits. */
export interface WaitOptions {
  /** Only this recipient's event; anybody's by default. */
  recipient?: string
  /** How long to wait, in ms; without it, until the event or its impossibility. */
  timeout?: number
  /** Ends the waiting: it rejects with the reason of the signal. */
  signal?: AbortSignal
}

export interface Waiting {
  /** Wakes those who wait for events of these messages. */
  notice(trackingIds: Iterable<string | undefined>): void
  /** Resolves with the first event of the type, also when it is there already. */
  waitFor(trackingId: string, type: EventType, options: WaitOptions): Promise<AnyEvent>
}

/** Lets callers wait for the events of a message. */
export function createWaiting(store: Pick<Store, 'message' | 'storedAddress'>): Waiting {
  const wakers = new Map<string, Set<() => void>>()

  return {
    notice(trackingIds) {
      for (const trackingId of trackingIds) {
        if (trackingId === undefined) continue
        for (const wake of wakers.get(trackingId) ?? []) wake()
      }
    },

    async waitFor(trackingId, type, { recipient, timeout, signal }) {
      checkTypes([type])
      if (timeout !== undefined && !(typeof timeout === 'number' && timeout >= 0)) {
        throw new TypeError(`waitFor: timeout must be a number of ms, and is ${String(timeout)}`)
      }
      const address = recipient === undefined ? undefined : storedAddress(store, recipient)
      const deadline = timeout === undefined ? Infinity : Date.now() + timeout
      for (;;) {
        signal?.throwIfAborted()
        // Listening begins before the look, so that nothing falls between them.
        const news = listen(wakers, trackingId, signal)
        try {
          const found = look(await readMessage(store, trackingId), trackingId, type, address)
          if (found) return found
          const left = deadline - Date.now()
          if (left <= 0) {
            const message = `no ${type} event came for ${trackingId} within ${timeout} ms`
            throw new WaitError('ETIMEDOUT', message)
          }
          await news.within(Math.min(left, lookInterval))
        } finally {
          news.stop()
        }
      }
    },
  }
}

function listen(
  wakers: Map<string, Set<() => void>>,
  trackingId: string,
  signal: AbortSignal | undefined,
): { within(milliseconds: number): Promise<void>; stop(): void } {
  let wake = (): void => {}
  let timer: NodeJS.Timeout | undefined
  const news = new Promise<void>((resolve) => {
    wake = resolve
  })
  const known = wakers.get(trackingId) ?? new Set()
  wakers.set(trackingId, known.add(wake))
  signal?.addEventListener('abort', wake, { once: true })
  return {
    within(milliseconds) {
      timer = setTimeout(wake, milliseconds)
      return news
    },
    stop() {
      clearTimeout(timer)
      signal?.removeEventListener('abort', wake)
      known.delete(wake)
      if (known.size === 0 && wakers.get(trackingId) === known) wakers.delete(trackingId)
    },
  }
}

// After a final failure these come no more.
const ruledOutByFailure: ReadonlySet<EventType> = new Set([
  'accepted',
  'deferred',
  'delivered',
  'opened',
  'clicked',
])

/** The event that is waited for, or undefined while it may still come. */
function look(
  stored: Awaited<ReturnType<Store['message']>>,
  trackingId: string,
  type: EventType,
  address: string | undefined,
): AnyEvent | undefined {
  if (!stored) {
    throw new WaitError('ENOMESSAGE', `no message ${trackingId} was recorded`)
  }
  const found = stored.events.find(
    (event) =>
      event.type === type &&
      (address === undefined || canonicalAddress(event.recipient ?? '') === address),
  )
  if (found) return found
  const states = [...stored.states].filter(([key]) => address === undefined || key === address)
  if (address !== undefined && states.length === 0) {
    throw new WaitError('ERULEDOUT', `the given address is not a recipient of ${trackingId}`)
  }
  const statuses =
    states.length > 0
      ? states.map(([, state]) => recipientStatus(state))
      : [messageStatus(stored.record.outcome, [])]
  const failed = statuses.every((status) => ['bounced', 'rejected', 'failed'].includes(status))
  if (failed && ruledOutByFailure.has(type)) {
    const reason = [...new Set(statuses)].join(' and ')
    throw new WaitError('ERULEDOUT', `${trackingId} was ${reason}, so no ${type} event will come`)
  }
  return undefined
}
