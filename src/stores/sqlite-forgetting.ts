import { digest, fromBytes, toBytes } from '../ids.js'
import type { ForgettingTables, StoredEventRow } from './sql-tables.js'
import { type EventColumns, type SqliteStatements, toMessage } from './sqlite-statements.js'

/** What it takes to find an address everywhere and to take it out. */
export function sqliteForgetting(statements: SqliteStatements): ForgettingTables {
  return {
    async messagesAfter(id, limit) {
      return statements.messagesAfter.all(toBytes(id ?? ''), limit).map(toMessage)
    },

    async eventsAfter(position, limit) {
      return statements.eventsAfter.all(position, limit).map(toStoredEvent)
    },

    async lockEvents(positions) {
      return positions.flatMap((position) => statements.eventAt.all(position).map(toStoredEvent))
    },

    async renameRecipient(trackingId, from, to) {
      statements.renameRecipient.run(digest(to), to, toBytes(trackingId), digest(from))
    },

    async renameEvent(id, to, event, told) {
      const [before, after] = [toBytes(id), toBytes(to)]
      const progress = told ?? null
      statements.renameEvent.run(after, event, before)
      statements.renameWaiting.run(after, before)
      statements.renameUntold.run(after, progress, before)
      statements.renameDeadLetter.run(after, progress, before)
    },

    async removeSuppressions(address) {
      return Number(statements.removeSuppressions.run(digest(address)).changes)
    },
  }
}

function toStoredEvent({ id, position, event, progress }: EventColumns): StoredEventRow {
  return { id: fromBytes(id), position, event, ...(progress !== null && { progress }) }
}
