import { QueueError } from './errors.js'
import type { EventQueue } from './event-queue.js'

/**
 * The same queue, and a report when it has not answered for so many ms: BullMQ waits for a Redis that is away,
 * however long that lasts, and says nothing. There is one report until it has answered again.
 */
export function reportingSilence(
  queue: EventQueue,
  patience: number,
  report: (error: QueueError) => void,
): EventQueue {
  let silent = false

  async function asked<T>(doing: string, ask: () => Promise<T>): Promise<T> {
    const timer = setTimeout(() => {
      if (silent) return
      silent = true
      report(new QueueError(doing, new Error(`it has not answered for ${patience / 1000} s`)))
    }, patience).unref()
    try {
      return await ask()
    } finally {
      clearTimeout(timer)
      silent = false
    }
  }

  return {
    add: (jobs) => asked('adding events', () => queue.add(jobs)),
    waitingSince: () => asked('asking what waits', () => queue.waitingSince()),
  }
}
