import { expect, test } from '@jest/globals'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isUint8Array } from 'node:util/types'
import { digest } from '../../src/ids.js'
import { labelsOf } from '../../src/matching.js'
import { sqliteStore } from '../../src/stores/sqlite.js'
import { openDatabase } from '../../src/stores/sqlite-driver.js'
import { batchOf, recordAt, recordOf, start } from '../../src/testing/store-samples.js'
import { add, answer, byNobody, giveUp, idsOf, ingest } from '../../src/testing/store-steps.js'

const ann = 'ann.o@example.com'

/** Every value of every table, bytes in hexadecimal. */
async function dump(file: string): Promise<string> {
  const database = await openDatabase(file)
  try {
    const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all()
    const rows = tables.flatMap((table) =>
      database.prepare(`SELECT * FROM ${String(Reflect.get(Object(table), 'name'))}`).all(),
    )
    return rows
      .flatMap((row) => Object.values(Object(row)))
      .map((value) => (isUint8Array(value) ? Buffer.from(value).toString('hex') : String(value)))
      .join('\n')
  } finally {
    database.close()
  }
}

test('after an address was forgotten no table has it, or a digest of it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mailtrail-forgetting-'))
  const file = join(folder, 'store.db')
  try {
    const store = sqliteStore(file)
    const record = { ...recordOf(ann, 'bob@example.org'), metadata: { user: ann }, tags: [ann] }
    await add(store, record)
    await answer(store, record, {
      outcome: 'sent',
      recipients: record.recipients.map((entry, index) => ({
        ...entry,
        status: 'accepted',
        providerMessageId: `p-${index}`,
      })),
    })
    const of = { ownId: record.trackingId, recipient: ann, raw: { email: ann } }
    const hard = { type: 'bounced', bounce: { kind: 'hard', asynchronous: false } } as const
    const told = await ingest(store, batchOf({ ...hard, ...of }, { type: 'opened', ...of }))
    await giveUp(store, idsOf(told.deliveries))
    // One that waits for its message, and one that nothing belongs to.
    await ingest(
      store,
      batchOf({ type: 'delivered', recipient: ann, providerMessageId: 'q' }),
      byNobody,
    )
    await ingest(store, batchOf({ type: 'delivered', recipient: ann, raw: { ann } }), byNobody)
    const traces = [
      ann,
      ...[ann, ...labelsOf(record)].map((text) => digest(text).toString('hex')),
      ...idsOf(told.deliveries).map((id) => id.replaceAll('-', '')),
    ]
    const before = await dump(file)
    expect(traces.filter((trace) => !before.includes(trace))).toEqual([])
    await store.forget(ann, [], 'x@forgotten.invalid')
    const after = await dump(file)
    expect(traces.filter((trace) => after.includes(trace))).toEqual([])
    await store.close()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('an address is forgotten in any number of messages and events, and others are left', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mailtrail-forgetting-'))
  try {
    const store = sqliteStore(join(folder, 'store.db'))
    // So many are looked through in more than one go; the address is at the ends and at the seams.
    const places = new Set([0, 499, 500, 999, 1000, 1099])
    const records = Array.from({ length: 1100 }, (_, index) =>
      recordAt(start + index, places.has(index) ? ann : 'bob@example.org'),
    )
    await Promise.all(records.map((record) => add(store, record)))
    // In the order of the messages; the last hundred are of one of them.
    const last = records.at(-1)?.trackingId ?? ''
    const owners = [...records.map(({ trackingId }) => trackingId), ...Array(100).fill(last)]
    for (let index = 0; index < owners.length; index += 100) {
      const events = owners.slice(index, index + 100).map((ownId, place) => ({
        type: 'opened' as const,
        ownId,
        raw: places.has(index + place) || ownId === last ? { ann } : {},
        ip: `203.0.${index / 100}.${place}`,
      }))
      await ingest(store, batchOf(...events))
    }
    const texts = async (): Promise<string[]> =>
      Promise.all(
        records.map(async ({ trackingId }) => JSON.stringify(await store.message(trackingId))),
      )
    const before = await texts()
    // The messages and as many events, and those hundred.
    expect(await store.forget(ann, [], 'x@forgotten.invalid')).toBe(2 * places.size + 100)
    const after = await texts()
    expect(after.filter((text) => text.includes(ann))).toEqual([])
    const changed = after.flatMap((text, index) => (text === before[index] ? [] : [index]))
    expect(changed).toEqual([...places])
    await store.close()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
