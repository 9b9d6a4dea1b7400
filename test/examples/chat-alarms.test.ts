import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { json } from 'node:stream/consumers'
import { join } from 'node:path'
import { type Endpoint, startEndpoint } from '../endpoint.js'
import {
  ask,
  eventually,
  patience,
  type RunningExample,
  startExample,
  startSurroundings,
  type Surroundings,
} from './running.js'

const minute = 60_000

let around: Surroundings
let chat: Endpoint
let example: RunningExample
/** What the chat was posted. */
let posted: unknown[]
/** How it answers; not at all with 0. */
let answer: number

beforeEach(async () => {
  posted = []
  answer = 200
  chat = await startEndpoint(async (request, response) => {
    posted.push(await json(request))
    if (answer !== 0) response.writeHead(answer).end('ok')
  })
  // Nothing is posted but by hand.
  around = await startSurroundings(() => [])
  example = await startExample(['chat-alarms/server.mjs'], {
    environment: { ...around.environment, CHAT_WEBHOOK_URL: `${chat.url}/services/T0` },
    ahead: [join(__dirname, 'clock.mjs')],
  })
  around.leadTo(example.url)
}, patience * 2)
afterEach(async () => {
  await example?.stop()
  await around?.close()
  await chat?.close()
})

const reset = () => ask('POST', `${example.url}/password-resets`, { email: 'ann@example.com' })

const expectTold = (text: RegExp): void =>
  expect(posted).toContainEqual({ text: expect.stringMatching(text) })

const chatTold = (text: RegExp): Promise<void> => eventually(() => expectTold(text))

/** Turns the clock of the example until the chat is told this. */
const minutesLater = (text: RegExp): Promise<void> =>
  eventually(() => {
    example.send(minute)
    expectTold(text)
  })

test('the chat is told of a password reset that failed, and of nobody’s address', async () => {
  around.sendgrid.failNext({ kind: 'answer', status: 401 })
  expect((await reset()).status).toBe(503)
  await chatTold(/^“Reset your password” was not sent \(auth\): npx mailtrail status [\da-f-]{36}$/)
  expect((await reset()).status).toBe(202)
  expect(posted).toHaveLength(1)
  expect(JSON.stringify(posted)).not.toContain('ann@')
})

test('it is told when no events come, and when they come again', async () => {
  for (let count = 0; count < 5; count += 1) await reset()
  await minutesLater(
    /^5 messages went to sendgrid, and no event comes: npx mailtrail doctor sendgrid$/,
  )
  const [message] = around.sendgrid.messages
  if (!message) throw new Error('nothing was sent')
  const events = [{ type: 'delivered', recipient: 'ann@example.com' } as const]
  expect(await around.sendgrid.post(message, { events })).toMatchObject([{ status: 200 }])
  await minutesLater(/^Events of sendgrid come again/)
  expect(posted).toHaveLength(2)
})

test('it is told when too many messages fail', async () => {
  for (let count = 0; count < 18; count += 1) await reset()
  around.sendgrid.startOutage({ kind: 'answer', status: 401 })
  for (let count = 0; count < 2; count += 1) await reset()
  await minutesLater(/^2 of 20 messages to sendgrid failed$/)
})

test('no send waits for a chat that does not answer, and what it missed is in the log', async () => {
  const missed = 'the chat did not take this: “Reset your password” was not sent'
  around.sendgrid.startOutage({ kind: 'answer', status: 401 })
  answer = 0
  expect((await reset()).status).toBe(503)
  await chatTold(/was not sent/)
  expect(example.lines.join()).not.toContain(missed)
  await example.said(missed)
  answer = 404
  await reset()
  await example.said('it answered 404')
})
