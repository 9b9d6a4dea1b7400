import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import {
  ask,
  patience,
  type RunningExample,
  startExample,
  startSurroundings,
  type Surroundings,
} from './running.js'

let around: Surroundings
let example: RunningExample

beforeAll(async () => {
  around = await startSurroundings()
  const { environment } = around
  example = await startExample(['password-reset/server.mjs'], { environment })
  around.leadTo(example.url)
}, patience * 2)
beforeEach(async () => {
  await around.sendgrid.settled()
  await around.mailgun.settled()
  example.lines.length = 0
  for (const { messages, requests } of [around.sendgrid, around.mailgun]) {
    messages.length = 0
    requests.length = 0
  }
})
afterAll(async () => {
  await example?.stop()
  await around?.close()
})

const email = 'ann@example.com'
const reset = () => ask('POST', `${example.url}/password-resets`, { email })

test('a password reset goes out through the first provider', async () => {
  expect(await reset()).toEqual({ status: 202, body: { trackingId: expect.any(String) } })
  await example.said('Reset your password was delivered by sendgrid')
  expect(example.lines).toContain('sendgrid')
  expect(around.mailgun.requests).toEqual([])
})

test('nobody is told to try again while it may have been sent', async () => {
  around.sendgrid.failNext({ kind: 'cut' })
  expect(await reset()).toEqual({ status: 503, body: { tryAgain: false } })
  expect(around.mailgun.requests).toEqual([])
  await example.said('Reset your password was delivered by sendgrid')
})

test('it goes out to an address that bounced before, for it was asked for', async () => {
  await reset()
  await example.said('delivered by sendgrid')
  const [message] = around.sendgrid.messages
  if (!message) throw new Error('nothing was sent')
  const bounce = { type: 'bounced', bounce: 'later', recipient: email } as const
  await around.sendgrid.post(message, { events: [bounce] })
  expect((await reset()).status).toBe(202)
  expect(around.sendgrid.messages).toHaveLength(2)
})

test.each<[string, string, () => unknown]>([
  ['is out of order', 'server', () => around.sendgrid.failNext({ kind: 'answer', status: 503 })],
  [
    'does not know the key any more',
    'auth',
    () => around.sendgrid.failNext({ kind: 'answer', status: 401 }),
  ],
  ['is not there', 'network', () => around.sendgrid.close()],
])('it goes out once, through the second, when the first %s', async (_, category, fail) => {
  await fail()
  expect((await reset()).status).toBe(202)
  await example.said('Reset your password was delivered by mailgun')
  expect(example.lines).toContain(`sendgrid (${category}), then mailgun`)
  expect(around.sendgrid.messages).toEqual([])
  expect(around.mailgun.messages).toMatchObject([{ recipients: [{ address: email }] }])
})

test('while no provider is there, trying again is safe', async () => {
  await Promise.all([around.sendgrid.close(), around.mailgun.close()])
  expect(await reset()).toEqual({ status: 503, body: { tryAgain: true } })
  expect(example.lines).toContain('sendgrid (network), then nobody')
})
