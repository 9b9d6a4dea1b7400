import { ListenerError, messageOf } from './errors.js'
import { listenerName, type TakenListener } from './listeners.js'
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
): Promise<ListenerError | undefined> {
  const attempts = (progress[listener.id]?.attempts ?? 0) + 1
  try {
    await inTime(async () => listener.call(event, message), timeout)
    progress[listener.id] = { attempts: attempts - 1, ended: 'told' }
    return undefined
  } catch (cause) {
    const final = isFinal(attempts)
    const known: ListenerProgress = { attempts, error: messageOf(cause).slice(0, longestReason) }
    progress[listener.id] = final ? { ...known, ended: 'given-up' } : known
    return new ListenerError(event.id, attempts, final, cause, listenerName(listener.id))
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
