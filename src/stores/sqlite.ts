import { ConfigurationError } from '../errors.js'
import type { AnyEvent, MatchedVia } from '../event.js'
import { canonicalAddress, matched } from '../matching.js'
import { type MessageRecord, toSentMessage, withResult } from '../message.js'
import type { Nonce } from '../provider.js'
import { initialState, recipientStatus, withEvent, withSendStatus } from '../status.js'
import type {
  Delivery,
  IncomingEvent,
  MatchKey,
  MessageKey,
  RecipientState,
  Schedule,
  Store,
} from '../store.js'
import { eventFromJson, recordFromJson } from './serialization.js'
import { inTransaction, openDatabase, type SqliteDatabase } from './sqlite-driver.js'
import { createTables, prepareStatements } from './sqlite-tables.js'

/** Comes after every id there is. */
const last = '~'

type Tables = ReturnType<typeof prepareStatements>

/**
 * Keeps everything in one SQLite file: for one machine, any number of processes. A commit is on
 * disk when it is acknowledged (WAL, `synchronous=FULL`).
 *
 * @param path the file, which is created when it is missing
 * @throws ConfigurationError when there is no path: SQLite would take a file that nobody finds again
 */
export function sqliteStore(path: string): Store {
  if (typeof path !== 'string' || path === '') {
    throw new ConfigurationError("sqliteStore: path is missing: sqliteStore('mailtrail.db')")
  }
  let opening: Promise<{ database: SqliteDatabase; tables: Tables }> | undefined
  let closed = false

  const connection = async (): Promise<{ database: SqliteDatabase; tables: Tables }> => {
    if (closed) throw new Error('the SQLite store is closed')
    // A failed opening is not kept: the file may be unlocked, or the disk have room, next time.
    opening ??= open(path).catch((error: unknown) => {
      opening = undefined
      throw error
    })
    return opening
  }

  const transaction = async <T>(work: (tables: Tables) => T): Promise<T> => {
    const { database, tables } = await connection()
    return inTransaction(database, () => work(tables))
  }

  return {
    open: async () => {
      await connection()
    },

    addMessage: (record, keys, schedule) =>
      transaction((tables) => {
        writeRecord(tables, record)
        for (const { address, status } of record.recipients) {
          const state = withSendStatus(initialState, status)
          writeState(tables, record.trackingId, canonicalAddress(address), state)
        }
        return join(tables, record, keys, schedule)
      }),

    addResult: (trackingId, result, keys, schedule) =>
      transaction((tables) => {
        const before = readRecord(tables, trackingId)
        if (!before) return []
        const record = withResult(before, result)
        writeRecord(tables, record)
        for (const recipient of result.recipients) {
          const address = canonicalAddress(recipient.address)
          const state = readState(tables, trackingId, address) ?? initialState
          writeState(tables, trackingId, address, withSendStatus(state, recipient.status))
        }
        return join(tables, record, keys, schedule)
      }),

    ingest: ({ events, nonce }, schedule) =>
      transaction((tables) => {
        if (nonce && !claimNonce(tables, nonce)) return { kind: 'replayed' }
        const deliveries: Delivery[] = []
        let duplicates = 0
        let waiting = 0
        for (const incoming of events) {
          const outcome = addEvent(tables, incoming, schedule)
          if (outcome === 'duplicate') duplicates += 1
          else if (outcome === 'waiting') waiting += 1
          else deliveries.push(outcome)
        }
        return { kind: 'stored', deliveries, duplicates, waiting }
      }),

    claimDue: (now, leaseUntil, limit) =>
      transaction((tables) =>
        tables.dueEvents.all(now, limit).map(({ position, event: json, attempts }) => {
          const stored = eventFromJson(json)
          const event: AnyEvent =
            stored.correlation.status === 'pending'
              ? { ...stored, correlation: { status: 'foreign' } }
              : stored
          tables.leaseEvent.run(leaseUntil, JSON.stringify(event), position)
          const record = event.trackingId && readRecord(tables, event.trackingId)
          return { event, message: record ? toSentMessage(record) : undefined, attempts }
        }),
      ),

    settle: (settlements) =>
      transaction((tables) => {
        for (const settlement of settlements) {
          const { eventId, kind } = settlement
          const dueAt = kind === 'again' ? settlement.at : null
          const attempts = kind === 'told' ? 0 : settlement.attempts
          tables.settleEvent.run(
            dueAt,
            attempts,
            kind === 'told' ? null : settlement.error,
            eventId,
          )
        }
      }),

    nextDue: async () => {
      const { tables } = await connection()
      return tables.nextDue.get()?.due_at ?? undefined
    },

    message: async (trackingId) => {
      const { tables } = await connection()
      const record = readRecord(tables, trackingId)
      if (!record) return undefined
      const events = tables.eventsOf.all(trackingId).map(({ event }) => eventFromJson(event))
      events.sort((a, b) => a.occurredAt.getTime() - b.occurredAt.getTime())
      return { record, states: readStates(tables, trackingId), events }
    },

    find: async ({ provider = null, address = null, status = null }, limit, before = last) => {
      const { tables } = await connection()
      return tables.findMessages
        .all(before, provider, address, status, limit)
        .map(({ tracking_id: trackingId, record }) => ({
          record: recordFromJson(record),
          states: readStates(tables, trackingId),
        }))
    },

    close: async () => {
      closed = true
      const { database } = (await opening) ?? {}
      opening = undefined
      database?.close()
    },
  }
}

async function open(path: string): Promise<{ database: SqliteDatabase; tables: Tables }> {
  const database = await openDatabase(path)
  try {
    createTables(database)
    return { database, tables: prepareStatements(database) }
  } catch (error) {
    database.close()
    throw error
  }
}

/** Writes an event unless it is known, with its message when that is known. */
function addEvent(
  tables: Tables,
  incoming: IncomingEvent,
  { leaseUntil, foreignAt }: Schedule,
): Delivery | 'duplicate' | 'waiting' {
  const { event, matchKeys, providerKey = null, address } = incoming
  const match = findMessage(tables, matchKeys)
  const tied = match
    ? matched(event, match.record, match.via, address ?? match.address)
    : { event, address }
  const pending = tied.event.correlation.status === 'pending'
  const { changes, lastInsertRowid } = tables.addEvent.run(
    event.id,
    providerKey,
    match?.record.trackingId ?? null,
    tied.address ?? null,
    pending ? foreignAt : leaseUntil,
    JSON.stringify(tied.event),
  )
  if (changes === 0) return 'duplicate'
  if (pending) {
    for (const { key, via } of matchKeys) tables.addWaiting.run(key, Number(lastInsertRowid), via)
    return 'waiting'
  }
  if (match) fold(tables, tied.event, match.record.trackingId, tied.address)
  return { event: tied.event, message: match && toSentMessage(match.record), attempts: 0 }
}

function findMessage(
  tables: Tables,
  matchKeys: MatchKey[],
): { record: MessageRecord; via: MatchedVia; address: string | undefined } | undefined {
  for (const { via, key } of matchKeys) {
    const row = tables.key.get(key)
    const record = row && readRecord(tables, row.tracking_id)
    if (record) return { record, via, address: row.address ?? undefined }
  }
  return undefined
}

/** Makes a message known by these ids, and gives it the events that waited for one of them. */
function join(
  tables: Tables,
  record: MessageRecord,
  keys: MessageKey[],
  { leaseUntil }: Schedule,
): Delivery[] {
  const joined: (Delivery & { position: number })[] = []
  for (const { key, address = null } of keys) {
    tables.putKey.run(key, record.trackingId, address)
    for (const row of tables.waiting.all(key)) {
      const waited = eventFromJson(row.event)
      const tied = matched(waited, record, row.via, row.address ?? address ?? undefined)
      // A foreign one was told already, or is being told: that stands as it is.
      const pending = waited.correlation.status === 'pending'
      tables.tieEvent.run(
        record.trackingId,
        tied.address ?? null,
        pending ? leaseUntil : row.due_at,
        JSON.stringify(tied.event),
        row.position,
      )
      fold(tables, tied.event, record.trackingId, tied.address)
      if (pending) {
        joined.push({
          position: row.position,
          event: tied.event,
          message: toSentMessage(record),
          attempts: row.attempts,
        })
      }
    }
    tables.removeWaiting.run(key)
  }
  return joined.toSorted((a, b) => a.position - b.position)
}

/** Takes an event into the state of its recipient, if that is one of the message's. */
function fold(
  tables: Tables,
  event: AnyEvent,
  trackingId: string,
  address: string | undefined,
): void {
  const state = address === undefined ? undefined : readState(tables, trackingId, address)
  if (address !== undefined && state) {
    writeState(tables, trackingId, address, withEvent(state, event))
  }
}

/** False when the token came before with other content. */
function claimNonce(tables: Tables, { token, content }: Nonce): boolean {
  const { changes } = tables.addNonce.run(token, content)
  return changes !== 0 || tables.nonce.get(token)?.content === content
}

function readRecord(tables: Tables, trackingId: string): MessageRecord | undefined {
  const row = tables.message.get(trackingId)
  return row && recordFromJson(row.record)
}

function writeRecord(tables: Tables, record: MessageRecord): void {
  tables.putMessage.run(record.trackingId, record.provider, JSON.stringify(record))
}

function readStates(tables: Tables, trackingId: string): Map<string, RecipientState> {
  const rows = tables.recipients.all(trackingId)
  return new Map(rows.map(({ address, state }) => [address, JSON.parse(state)]))
}

function readState(
  tables: Tables,
  trackingId: string,
  address: string,
): RecipientState | undefined {
  const row = tables.recipient.get(trackingId, address)
  return row && JSON.parse(row.state)
}

function writeState(
  tables: Tables,
  trackingId: string,
  address: string,
  state: RecipientState,
): void {
  tables.putRecipient.run(trackingId, address, recipientStatus(state), JSON.stringify(state))
}
