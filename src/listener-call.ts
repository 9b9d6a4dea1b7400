import { ListenerError, messageOf } from './errors.js'
import type { AnyEvent } from './event.js'
import { listenerName, type TakenListener } from './listeners.js'
import type { SentMessage } from './message.js'
import type { ListenerCall } from './observer.js'
import { kindOf, type Observing } from './observing.js'
import type { Delivery, ListenerProgress } from './store.js'

/** How much of what a listener has thrown is kept, in characters. */
const longestReason = 1000

/**
 * Tells one listener of an event, and writes into its progress how that went. Resolves to what went wrong.
 *
 * @param timeout how long it may take, in ms
 * @param isFinal whether a listener that has failed so often is told no more
 */
export async function callListener(
  listener: TakenListener,
  { event, message, progress }: Delivery,
  timeout: number,
  isFinal: (attempts: number) => boolean,
  observing: Observing,
): Promise<ListenerError | undefined> {
  const attempts = (progress[listener.id]?.attempts ?? 0) + 1
  const activity = toActivity(listener, event, message, attempts)
  const observed = observing.begin(activity)
  const call = async (): Promise<unknown> => listener.call(event, message)
  try {
    await inTime(observed ? () => observed.run(call) : call, timeout)
    progress[listener.id] = { attempts: attempts - 1, ended: 'told' }
    observed?.end({ ...activity, outcome: 'taken' })
    return undefined
  } catch (cause) {
    const final = isFinal(attempts)
    const kind = kindOf(cause)
    const outcome = final ? 'given-up' : 'failed'
    observed?.end({ ...activity, outcome, ...(kind !== undefined && { cause: kind }) })
    const known: ListenerProgress = { attempts, error: messageOf(cause).slice(0, longestReason) }
    progress[listener.id] = final ? { ...known, ended: 'given-up' } : known
    return new ListenerError(event.id, attempts, final, cause, listenerName(listener.id))
  }
}

function toActivity(
  { id }: TakenListener,
  { id: eventId, type, provider, trackingId }: AnyEvent,
  message: SentMessage | undefined,
  attempt: number,
): ListenerCall {
  const listener = listenerName(id)
  const traceparent = message?.traceparent
  return {
    kind: 'listener',
    ...(listener !== undefined && { listener }),
    eventId,
    type,
    provider,
    ...(trackingId !== undefined && { trackingId }),
    ...(traceparent !== undefined && { traceparent }),
    attempt,
  }
}

async function inTime(work: () => Promise<unknown>, limit: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const expiry = new Promise<never>((_, reject) => {
    const late = (): void => reject(new Error(`it did not end within ${limit} ms`))
    timer = setTimeout(late, limit).unref()
  })
  try {
    await Promise.race([work(), expiry])
  } finally {
    clearTimeout(timer)
  }
}
