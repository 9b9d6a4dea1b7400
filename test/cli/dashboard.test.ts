import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { join } from 'node:path'
import { createCorrelator } from '../../src/index.js'
import { sqliteStore } from '../../src/stores/sqlite.js'
import { newFolder, run, start } from './running.js'

jest.setTimeout(60_000)

const { folder, remove } = newFolder()
const env = { MAILTRAIL_STORE: 'mail.db' }
afterAll(remove)

beforeAll(async () => {
  const correlator = createCorrelator({ store: sqliteStore(join(folder, 'mail.db')) })
  await correlator.record({
    provider: 'sendgrid',
    providerMessageId: 'p-1',
    recipients: ['ann@example.com'],
    subject: 'Your order',
  })
  await correlator.close()
})

const withPassword = (password: string) => ({
  headers: {
    authorization: `Basic ${Buffer.from(`mailtrail:${password}`).toString('base64')}`,
  },
})

test('the dashboard of the store is shown to who has the password that was printed', async () => {
  const command = start(['dashboard', '--port', '0'], { folder, env })
  const [, url = ''] = await command.wrote(/The dashboard is at (http:\/\/127\.0\.0\.1:\d+\/)\n/)
  const [, password = ''] = await command.wrote(/: mailtrail and ([\w-]{16})\n/)
  for (const given of [undefined, withPassword('another')]) {
    const refused = await fetch(url, given)
    expect(refused.status).toBe(401)
  }
  const messages = await fetch(`${url}messages`, withPassword(password))
  expect([messages.status, await messages.text()]).toEqual([
    200,
    expect.stringContaining('Your order'),
  ])
  command.signal('SIGINT')
  expect(await command.ended).toMatchObject({ code: 0, stderr: '' })
})

test('a password that is set is not printed', async () => {
  const given = { ...env, MAILTRAIL_DASHBOARD_PASSWORD: 'a password of mine' }
  const command = start(['dashboard', '--port', '0', '--json'], { folder, env: given })
  const [line] = await command.wrote(/^.*"ready".*\n/m)
  const { url } = JSON.parse(line)
  expect((await fetch(url, withPassword('a password of mine'))).status).toBe(200)
  command.signal('SIGTERM')
  const { code, stdout, stderr } = await command.ended
  expect([code, stdout + stderr]).toEqual([0, line])
})

test('without a store it says what to set', async () => {
  const { code, stderr } = await run(['dashboard', '--port', '0'], { folder })
  expect([code, stderr]).toEqual([2, expect.stringContaining('MAILTRAIL_STORE')])
})
