import { expect, test } from '@jest/globals'
import { mysqlStore } from '../../src/stores/mysql.js'
import { recordOf } from '../../src/testing/store-samples.js'
import { add } from '../../src/testing/store-steps.js'
import { atEnd, newPool, once, url, withReads } from './mysql-database.js'
import { batchOf } from '../../src/testing/store-samples.js'
import { byNobody, ingest } from '../../src/testing/store-steps.js'

test('double', async () => {
  const stores = [1, 2, 3].map(() => mysqlStore(url()))
  for (const one of stores) atEnd(() => one.close())
  const [store] = stores
  if (!store) return
  for (let i = 0; i < 200; i += 1) await add(store, recordOf('ann@example.com'))
  await Promise.all(stores.map((one, i) => one.forget('ann@example.com', [], `${i}@f.invalid`)))
  const counts = await store.counts({ dimension: 'domain', from: 0, to: 1e15, by: 'value', limit: 9 })
  console.log(JSON.stringify(counts.map(({ key, counts }) => [key, counts.recipients])))
}, 60000)

test('double event', async () => {
  const stores = [1, 2].map(() => mysqlStore(url()))
  for (const one of stores) atEnd(() => one.close())
  const [store] = stores
  if (!store) return
  for (let i = 0; i < 200; i += 1)
    await ingest(store, batchOf({ type: 'delivered', providerMessageId: `p${i}`, recipient: 'ann@example.com', response: 'bob@example.com' }), byNobody)
  await Promise.all([stores[0]?.forget('ann@example.com', [], `a@f.invalid`), stores[1]?.forget('bob@example.com', [], `b@f.invalid`)])
  const rows = await once(newPool(), (t) => t.eventsAfter(0, 500))
  console.log('left', rows.filter((r) => /(ann|bob)@example/.test(r.event)).length)
}, 60000)

test('big', async () => {
  const store = mysqlStore(url())
  atEnd(() => store.close())
  await store.open()
  const pool = newPool()
  await pool.query(`INSERT INTO mailtrail_counts (dimension, start, provider, value_digest, shard, value)
    SELECT 'link', seq DIV 3000 * 86400000, 'sendgrid', UNHEX(LEFT(SHA2(seq, 256), 32)), seq % 8, CONCAT('https://example.com/some/longer/path/', SHA2(seq, 256)) FROM seq_1_to_1000000`)
  let t = Date.now()
  const r = await withReads(pool, (x) => x.takeCountsWith(['ann.o@example.com', 'ann.o%40example.com']))
  console.log('take 1M', Date.now() - t, r.reads)
  t = Date.now()
  const p = await withReads(pool, (x) => x.removeCounts(['link', 'tag'], 1e15))
  console.log('removeCounts', p.result, Date.now() - t, p.reads)
}, 120000)
