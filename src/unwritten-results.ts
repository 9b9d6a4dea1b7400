import type { MessageRecord, SendResult } from './message.js'

/** How long to wait before what the store did not take is written again, in ms. */
const defaultWait = 1000

/** How many are kept: a store that is away for long must not fill the memory. */
const mostKept = 10_000

export interface UnwrittenResults {
  /** Keeps the result of a send that the store did not take, and writes it when it can. */
  keep(record: MessageRecord, result: SendResult): void
  /** Tries once more and ends. */
  close(): Promise<void>
}

/**
 * What a provider answered is known in this process alone until it is written: a store that fails
 * once must not lose it.
 */
export function createUnwrittenResults(
  write: (record: MessageRecord, result: SendResult) => Promise<void>,
  wait = defaultWait,
): UnwrittenResults {
  const unwritten = new Map<string, { record: MessageRecord; result: SendResult }>()
  let timer: NodeJS.Timeout | undefined
  let closed = false

  /** Stops at the first that the store does not take: it would not take the others either. */
  async function writeAll(): Promise<void> {
    try {
      for (const [trackingId, { record, result }] of unwritten) {
        await write(record, result)
        unwritten.delete(trackingId)
      }
    } catch {
      // It was reported when it was kept.
    }
    timer = undefined
    if (unwritten.size > 0) writeLater()
  }

  function writeLater(): void {
    if (!closed) timer ??= setTimeout(() => void writeAll(), wait).unref()
  }

  return {
    keep(record, result) {
      const [oldest] = unwritten.keys()
      if (unwritten.size >= mostKept && oldest !== undefined) unwritten.delete(oldest)
      unwritten.set(record.trackingId, { record, result })
      writeLater()
    },

    async close() {
      closed = true
      clearTimeout(timer)
      await writeAll()
    },
  }
}
