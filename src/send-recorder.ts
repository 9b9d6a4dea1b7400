import { inStore } from './in-store.js'
import { messageKeys } from './matching.js'
import { type MessageRecord, type SendResult, withResult } from './message.js'
import type { SendRecorder } from './provider.js'
import type { Schedule, Store, Tellable } from './store.js'
import { scopeKey } from './suppression.js'
import { inForce } from './suppressions.js'
import { createUnwrittenResults } from './unwritten-results.js'

/** Where messages are recorded, and who is told of it. */
export interface SendRecorderParts extends Pick<SendRecorder, 'reportError' | 'observers'> {
  store: Pick<Store, 'addMessage' | 'addResult' | 'suppressionsOf'>
  schedule: () => Schedule
  /** Has those events told that have waited for the message. */
  tell: (tellable: Tellable, trackingIds: readonly string[]) => void
  /** Told of each message as it is recorded, without and with its result. */
  sent: (record: MessageRecord) => void
}

/** What transports record their messages with; closing writes what could not be written. */
export function createSendRecorder(parts: SendRecorderParts): {
  recorder: SendRecorder
  close: () => Promise<void>
} {
  const { store, schedule, tell, sent, reportError, observers } = parts

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
      sent(record)
      tell(
        await inStore('recording a message', () =>
          store.addMessage(record, messageKeys(record), schedule()),
        ),
        [record.trackingId],
      )
    },

    async recordResult(record, result) {
      sent(withResult(record, result))
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

    ...(observers && { observers }),
    reportError,
  }
  return { recorder, close: () => unwritten.close() }
}
