import { digest, fromBytes, toBytes } from '../ids.js'
import type { CountChange, Counted } from '../store.js'
import { counted } from '../counts.js'
import { mysqlLists, optional, type Row } from './mysql-lists.js'
import { type MessageColumns, messageColumns, toMessage } from './mysql-messages.js'
import type { Query } from './mysql-transaction.js'
import type { ForgettingTables, StoredEventRow, Tables } from './sql-tables.js'

/** What is counted by a text that may have an address in it. */
const dimensions = ['domain', 'link', 'reason', 'tag', 'template'] as const

const valueKey = 'dimension, start, provider, value_digest'

// Lowered by the server and then compared as it is: other ways to pass over letter case may take é for e.
const lowered = (text: string): string =>
  `LOWER(CONVERT(${text} USING utf8mb4)) COLLATE utf8mb4_bin`

// Few values have what of the text has no letter case, and to look for that is cheap.
const hasText = `LOCATE(?, value) > 0 AND LOCATE(${lowered('?')}, ${lowered('value')}) > 0`

type CountKey = Record<'dimension' | 'provider' | 'value_digest', Buffer> & { start: number }

type CountColumns = CountKey & { shard: number; value: Buffer } & Record<Counted, number>

const storedEvents = `SELECT id, event.position, event,
    COALESCE(untold.progress, letter.progress) AS progress
  FROM mailtrail_events AS event FORCE INDEX (PRIMARY)
    LEFT JOIN mailtrail_untold AS untold FORCE INDEX (PRIMARY) ON untold.event_id = id
    LEFT JOIN mailtrail_dead_letters AS letter FORCE INDEX (PRIMARY) ON letter.event_id = id`

interface EventColumns {
  id: Buffer
  position: number
  event: Buffer
  progress: Buffer | null
}

function toStoredEvent({ id, position, event, progress }: EventColumns): StoredEventRow {
  return {
    id: fromBytes(id),
    position: Number(position),
    event: event.toString(),
    ...(progress !== null && { progress: progress.toString() }),
  }
}

/** What it takes to find an address everywhere and to take it out. */
export function mysqlForgetting(query: Query): ForgettingTables & Pick<Tables, 'takeCountsWith'> {
  const { each } = mysqlLists(query)

  return {
    async messagesAfter(id, limit) {
      const rows = await query<MessageColumns>(
        `SELECT ${messageColumns} FROM mailtrail_messages FORCE INDEX (PRIMARY)
         WHERE tracking_id > ? ORDER BY tracking_id LIMIT ?`,
        [toBytes(id ?? ''), limit],
      )
      return rows.map(toMessage)
    },

    async eventsAfter(position, limit) {
      const rows = await query<EventColumns>(
        `${storedEvents} WHERE event.position > ? ORDER BY event.position LIMIT ?`,
        [position, limit],
      )
      return rows.map(toStoredEvent)
    },

    async lockEvents(positions) {
      const rows = await query<EventColumns>(
        `${storedEvents} WHERE event.position IN (?) ORDER BY event.position FOR UPDATE`,
        [positions],
      )
      return rows.map(toStoredEvent)
    },

    async renameRecipient(trackingId, from, to) {
      await query(
        `UPDATE mailtrail_recipients FORCE INDEX (PRIMARY) SET address_digest = ?, address = ?
         WHERE tracking_id = ? AND address_digest = ?`,
        [digest(to), Buffer.from(to), toBytes(trackingId), digest(from)],
      )
    },

    async renameEvent(id, to, event, progress) {
      const [before, after] = [toBytes(id), toBytes(to)]
      const told = optional(progress)
      // The event itself comes last, as it does for those who claim it, replay it or give it to its message.
      await query(
        `UPDATE mailtrail_waiting FORCE INDEX (mailtrail_waiting_by_event) SET event_id = ?
         WHERE event_id = ?`,
        [after, before],
      )
      await query(
        `UPDATE mailtrail_untold FORCE INDEX (PRIMARY)
         SET lane = IF(lane = ?, ?, lane), progress = COALESCE(?, progress), event_id = ?
         WHERE event_id = ?`,
        [before, after, told, after, before],
      )
      await query(
        `UPDATE mailtrail_dead_letters FORCE INDEX (PRIMARY)
         SET progress = COALESCE(?, progress), event_id = ? WHERE event_id = ?`,
        [told, after, before],
      )
      await query(
        `UPDATE mailtrail_events FORCE INDEX (mailtrail_events_by_id) SET event = ?, id = ?
         WHERE id = ?`,
        [Buffer.from(event), after, before],
      )
    },

    async removeSuppressions(address) {
      const rows = await query(
        `SELECT cause FROM mailtrail_suppressions FORCE INDEX (PRIMARY)
         WHERE address_digest = ? FOR UPDATE`,
        [digest(address)],
      )
      await query(
        `DELETE known FROM mailtrail_suppressions AS known FORCE INDEX (PRIMARY)
         WHERE address_digest = ?`,
        [digest(address)],
      )
      return rows.length
    },

    async takeCountsWith(texts) {
      const taken = new Map<string, CountChange>()
      for (;;) {
        const found = await keysWith(texts)
        const rows = await take(found)
        for (const row of rows) add(taken, row)
        // What somebody else has taken comes back with his text replaced, and maybe still with ours.
        if (new Set(rows.map(nameOf)).size >= found.length) return [...taken.values()]
      }
    },
  }

  /** Which values have one of the texts in them. Not locked, for that would wait for all who count. */
  async function keysWith(texts: readonly string[]): Promise<CountKey[]> {
    if (texts.length === 0) return []
    return query<CountKey>(
      `SELECT DISTINCT ${valueKey} FROM mailtrail_counts FORCE INDEX (PRIMARY)
       WHERE dimension IN (?)
         AND (${texts.map(() => hasText).join(' OR ')})
       ORDER BY ${valueKey}`,
      [
        dimensions.map((dimension) => Buffer.from(dimension)),
        ...texts.flatMap((text) => [Buffer.from(withoutLetters(text)), Buffer.from(text)]),
      ],
    )
  }

  /** Removes these values with all their shards, and gives what it has removed. */
  async function take(keys: readonly CountKey[]): Promise<CountColumns[]> {
    const rows = await each<CountColumns>(
      `SELECT ${valueKey}, shard, value, ${counted.join(', ')}
       FROM mailtrail_counts FORCE INDEX (PRIMARY) WHERE (${valueKey}) IN (?)
       ORDER BY ${valueKey}, shard FOR UPDATE`,
      keys.map(bytesOf),
    )
    // By the shard too: another one may have come meanwhile.
    await each(
      `DELETE counts FROM mailtrail_counts AS counts FORCE INDEX (PRIMARY)
       WHERE (${valueKey}, shard) IN (?)`,
      rows.map((row) => [...bytesOf(row), row.shard]),
    )
    return rows
  }
}

/** The longest part of a text that is the same in any letter case; empty, and so in everything, where there is none. */
function withoutLetters(text: string): string {
  const parts = text.match(/[ -@[-`{-~]+/g) ?? []
  return parts.reduce((longest, part) => (part.length > longest.length ? part : longest), '')
}

function bytesOf({ dimension, start, provider, value_digest: value }: CountKey): Row {
  return [dimension, Number(start), provider, value]
}

function nameOf({ dimension, start, provider, value_digest: value }: CountKey): string {
  return [dimension, start, provider.toString('hex'), value.toString('hex')].join(' ')
}

function add(sums: Map<string, CountChange>, row: CountColumns): void {
  const dimension = dimensions.find((one) => one === row.dimension.toString())
  if (dimension === undefined) return
  const name = nameOf(row)
  const sum = sums.get(name) ?? {
    dimension,
    start: Number(row.start),
    provider: row.provider.toString(),
    value: row.value.toString(),
    counts: {},
  }
  for (const one of counted) sum.counts[one] = (sum.counts[one] ?? 0) + Number(row[one])
  sums.set(name, sum)
}
