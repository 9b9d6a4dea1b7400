import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createCorrelator } from '../../src/index.js'
import { sqliteStore } from '../../src/stores/sqlite.js'
import { postTo, signedPost, signedWebhook, addressOf } from '../signed-posts.js'
import { newFolder, run } from './running.js'

jest.setTimeout(60_000)

const { folder, remove } = newFolder()
const env = { MAILTRAIL_STORE: 'mail.db' }
let trackingId = ''

beforeAll(async () => {
  const correlator = createCorrelator({
    store: sqliteStore(join(folder, 'mail.db')),
    webhooks: [signedWebhook()],
  })
  trackingId = await correlator.record({
    provider: 'sendgrid',
    providerMessageId: 'first',
    recipients: [addressOf('first', 0)],
    subject: 'Hello',
  })
  await postTo(correlator, signedPost(['first', 0]))
  await correlator.suppressions.add(addressOf('first', 0), { cause: 'complained' })
  await correlator.close()
})
afterAll(remove)

test('a message is told in plain words', async () => {
  const { code, stdout, stderr } = await run(['status', trackingId], { folder, env })
  expect([stderr, code]).toEqual(['', 0])
  expect(stdout.replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, 'THEN')).toBe(
    [
      '“Hello”  delivered',
      `  ${trackingId}, through sendgrid`,
      '  THEN  sent',
      "  THEN  first-0@example.com's server took it (250 2.0.0 OK 1755427525 gsmtp)",
      '  first-0@example.com (to): delivered',
      '',
    ].join('\n'),
  )
})

test('an address has its messages told, and why it is not mailed', async () => {
  const { code, stdout } = await run(['status', addressOf('first', 0)], { folder, env })
  expect(code).toBe(0)
  expect(stdout).toContain(trackingId)
  expect(stdout).toMatch(/first-0@example\.com: It is not mailed: complained, since /)
})

test('programs get JSON', async () => {
  const { stdout } = await run(['status', trackingId, '--json'], { folder, env })
  expect(JSON.parse(stdout)).toMatchObject({
    trackingId,
    status: 'delivered',
    events: [{ type: 'delivered' }],
  })
})

test.each([
  ['0190a0a0-0000-7000-8000-000000000000', 'There is no message'],
  ['nobody@example.com', 'Nothing is known of'],
])('nothing is known of %s', async (what, words) => {
  const { code, stdout } = await run(['status', what], { folder, env })
  expect([code, stdout]).toEqual([1, `${words} ${what}.\n`])
})

test.each([
  ['mailtrail.config.json', JSON.stringify({ store: 'mail.db' })],
  ['mailtrail.config.mjs', "export default { store: 'mail.db' }"],
  ['mailtrail.config.cjs', "module.exports = { store: 'mail.db' }"],
  ['other.mjs', "export default { store: await Promise.resolve('mail.db') }"],
])('the store may stand in %s', async (name, text) => {
  writeFileSync(join(folder, name), text)
  const { code, stderr } = await run(['--config', name, 'status', trackingId], { folder })
  expect([code, stderr]).toEqual([0, ''])
})

test('the path of a file of SQLite is read from the working directory, wherever the settings stand', async () => {
  mkdirSync(join(folder, 'settings'))
  writeFileSync(join(folder, 'settings', 'mailtrail.json'), '{"store":"mail.db"}')
  const words = ['--config', 'settings/mailtrail.json', 'status', trackingId]
  const { code, stderr } = await run(words, { folder })
  expect([code, stderr]).toEqual([0, ''])
})

test.each([
  [{}, [], 'there is no store: set MAILTRAIL_STORE'],
  [{ MAILTRAIL_STORE: 'none.db' }, [], 'none.db: the application makes it when it first starts'],
  [env, ['--config', 'none.mjs'], 'there is no file'],
])('without a store, by %j and %j, it is refused', async (environment, words, told) => {
  const other = newFolder()
  const { code, stderr } = await run([...words, 'status', trackingId], {
    folder: other.folder,
    env: environment as Record<string, string>,
  })
  other.remove()
  expect([code, stderr]).toEqual([2, expect.stringContaining(told)])
})

test('a store that cannot be opened is told once', async () => {
  writeFileSync(join(folder, 'broken.db'), 'this is no database, and never has been one')
  const where = { MAILTRAIL_STORE: 'broken.db' }
  const { code, stderr } = await run(['status', trackingId], { folder, env: where })
  expect([code, stderr]).toEqual([1, expect.stringMatching(/^error: [^\n]*broken\.db[^\n]*\n$/)])
})

test('a setting that is misspelt is told', async () => {
  writeFileSync(join(folder, 'misspelt.json'), '{"sendgrid":{"publickey":"x"}}')
  const { code, stderr } = await run(['-c', 'misspelt.json', 'status', 'x'], { folder })
  expect([code, stderr]).toEqual([
    2,
    expect.stringContaining('the configuration has sendgrid.publickey, which is none of'),
  ])
})
