import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { createHmac, randomBytes } from 'node:crypto'
import {
  ask,
  eventually,
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
  example = await startExample(['reply-matching/server.mjs'], { environment })
  around.leadTo(example.url)
}, patience * 2)
afterAll(async () => {
  await example?.stop()
  await around?.close()
})

const ann = 'ann@example.com'

/** Opens a ticket, and gives the address that answers to its mail go to. */
async function open(text: string): Promise<{ number: unknown; replyTo: string }> {
  const { status, body } = await ask('POST', `${example.url}/tickets`, { email: ann, text })
  expect(status).toBe(201)
  const form = around.mailgun.messages.at(-1)?.request
  if (!(form instanceof FormData)) throw new Error('it is a form')
  return { number: body.ticket, replyTo: String(form.get('h:Reply-To')) }
}

/** Mail that a route forwards, signed as Mailgun signs it. */
async function receive(fields: Record<string, string>): Promise<void> {
  const timestamp = String(Math.floor(Date.now() / 1000))
  const token = randomBytes(25).toString('hex')
  const key = around.simulators.mailgun.signingKey
  const signature = createHmac('sha256', key)
    .update(timestamp + token)
    .digest('hex')
  const body = new URLSearchParams({ ...fields, timestamp, token, signature })
  const response = await fetch(`${around.webhooks}/mailgun/inbound`, { method: 'POST', body })
  expect(response.status).toBe(200)
}

/** The notes of a ticket, as soon as there are so many. */
async function notes(number: unknown, count: number): Promise<unknown> {
  return eventually(async () => {
    const { body } = await ask('GET', `${example.url}/tickets/${String(number)}`)
    expect(body.notes).toHaveProperty(`${count - 1}`)
    return body.notes
  })
}

test('an answer is added to its ticket, by the message that it says it answers', async () => {
  const { number } = await open('It is broken')
  const [message] = around.mailgun.messages.slice(-1)
  const inbound = message && around.simulators.mailgun.others?.(message, new Date()).inbound
  if (!inbound) throw new Error('there is no answer')
  const response = await fetch(`${around.webhooks}/mailgun/inbound`, { method: 'POST', ...inbound })
  expect(response.status).toBe(200)
  expect(await notes(number, 2)).toEqual([
    { from: ann, text: 'It is broken' },
    { from: ann, text: 'Thanks' },
  ])
})

test('it is added by the address it goes to, where a mail program says nothing, and without quotes', async () => {
  const { number, replyTo } = await open('It is too loud')
  await receive({
    recipient: replyTo,
    sender: ann,
    from: `Ann <${ann}>`,
    subject: 'AW: Something else',
    'body-plain': 'Only at night.\n\n> We have it, and write to you soon.',
    'stripped-text': 'Only at night.',
  })
  expect(await notes(number, 2)).toEqual([
    { from: ann, text: 'It is too loud' },
    { from: ann, text: 'Only at night.' },
  ])
})

test('nobody else adds to a ticket', async () => {
  const { number, replyTo } = await open('It is too large')
  const mail = { recipient: replyTo, sender: 'eve@example.org', from: 'eve@example.org' }
  await receive({ ...mail, subject: 'Re: Ticket', 'body-plain': 'Send it to me' })
  await example.said(`somebody else answered ticket ${String(number)}`)
  expect(await notes(number, 1)).toHaveLength(1)
})

const bob = 'bob@example.org'
const toSupport = { recipient: 'reply@in.example.com', sender: bob, from: bob, subject: 'Hello' }

test('mail that answers nothing opens a ticket, and is answered', async () => {
  const { number } = await open('It is too small')
  await receive({ ...toSupport, 'body-plain': 'Where is it?' })
  const opened = Number(number) + 1
  expect(await notes(opened, 1)).toEqual([{ from: bob, text: 'Where is it?' }])
  await eventually(() => {
    const [last] = around.mailgun.messages.slice(-1)
    expect(last).toMatchObject({ subject: `Ticket ${opened}`, recipients: [{ address: bob }] })
  })
})

test('a machine that answers on its own is not answered, or it would go on for ever', async () => {
  const headers = JSON.stringify([['Auto-Submitted', 'auto-replied']])
  await receive({ ...toSupport, 'message-headers': headers, 'body-plain': 'I am away' })
  await example.said(`a machine wrote to ${toSupport.recipient}`)
  expect(
    around.mailgun.messages.filter(({ recipients: [to] }) => to?.address === bob),
  ).toHaveLength(1)
})
