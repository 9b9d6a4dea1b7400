import { digest, fromBytes, toBytes } from '../ids.js'
import type { Tables } from './sql-tables.js'
import { type SqliteStatements, toMessage } from './sqlite-statements.js'

type Pruning = Pick<
  Tables,
  'removeNonces' | 'oldMessages' | 'removeMessages' | 'oldEvents' | 'removeEvents'
>

/** What it takes to find what is too old, and to remove it. */
export function sqlitePruning(statements: SqliteStatements): Pruning {
  return {
    async removeNonces(before, limit) {
      return Number(statements.removeNonces.run(before, limit).changes)
    },

    async oldMessages(beforeId, limit) {
      return statements.oldMessages.all(toBytes(beforeId), limit).map(toMessage)
    },

    async removeMessages(messages) {
      for (const { trackingId, keys, labels } of messages) {
        const id = toBytes(trackingId)
        for (const key of keys) statements.removeKey.run(digest(key), id)
        removeEvents(statements.eventIdsOf.all(id).map((row) => row.id))
        for (const label of labels) statements.removeLabel.run(digest(label), id)
        statements.removeRecipients.run(id)
        statements.removeMessage.run(id)
      }
    },

    async oldEvents(beforeId, limit) {
      return statements.oldEvents.all(toBytes(beforeId), limit).map(({ id }) => fromBytes(id))
    },

    async removeEvents(ids) {
      removeEvents(ids.map(toBytes))
    },
  }

  function removeEvents(ids: readonly Uint8Array[]): void {
    for (const id of ids) {
      statements.removeWaitingOf.run(id)
      statements.removeDeadLetter.run(id)
      statements.removeEvent.run(id)
    }
  }
}
