import { afterAll, beforeAll, expect, test } from '@jest/globals'
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
  example = await startExample(['suppression/server.mjs'], { environment })
  around.leadTo(example.url)
}, patience * 2)
afterAll(async () => {
  await example?.stop()
  await around?.close()
})

const order = (email: string) => ask('POST', `${example.url}/orders`, { email })
const worksAgain = (email: string) => ask('POST', `${example.url}/works-again`, { email })
const mailed = { status: 201, body: { mail: expect.any(String) } }
const sentTo = (email: string) =>
  around.sendgrid.messages.filter(({ recipients }) => recipients[0]?.address === email)

test('an address that bounced is not mailed again, and the customer is told', async () => {
  expect(await order('nobody@example.com')).toEqual(mailed)
  await around.sendgrid.settled()
  expect(await order('nobody@example.com')).toEqual({
    status: 201,
    body: { notice: 'Mail to this address came back. Is it spelt right?' },
  })
  expect(sentTo('nobody@example.com')).toHaveLength(1)
  expect(await order('ann@example.com')).toEqual(mailed)
})

test('it is mailed again when the customer says that it works', async () => {
  expect((await worksAgain('nobody@example.com')).status).toBe(204)
  expect(await order('nobody@example.com')).toEqual(mailed)
  expect(sentTo('nobody@example.com')).toHaveLength(2)
})

test.each([
  ['complained', 'You have called our mail spam, so we send none.'],
  ['unsubscribed', 'You have unsubscribed from our mail.'],
] as const)('nobody says for somebody who %s that mail is welcome', async (type, notice) => {
  const email = `${type}@example.com`
  expect(await order(email)).toEqual(mailed)
  const [message] = sentTo(email)
  if (!message) throw new Error('nothing was sent')
  await around.sendgrid.post(message, { events: [{ type, recipient: email }] })
  await worksAgain(email)
  expect(await order(email)).toEqual({ status: 201, body: { notice } })
  expect(sentTo(email)).toHaveLength(1)
})

test('what fails otherwise is no matter of the address', async () => {
  around.sendgrid.failNext({ kind: 'answer', status: 401 })
  expect((await order('bob@example.com')).body).toEqual({ notice: 'We could not send you a mail.' })
})
