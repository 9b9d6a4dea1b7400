import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import nodemailer from 'nodemailer'
import { createCorrelator, type MailEvent, memoryStore } from '../../src/index.js'
import { mailgunSimulator, mailgunWebhook } from '../../src/providers/mailgun/index.js'
import {
  mandrillSimulator,
  mandrillTransport,
  mandrillWebhook,
} from '../../src/providers/mandrill/index.js'
import { sendgridSimulator, sendgridWebhook } from '../../src/providers/sendgrid/index.js'
import type { SignedRequest } from '../../src/simulator.js'
import { startProvider } from '../../src/testing/index.js'
import { readPage, root, spans, table } from './page.js'

const names = readPage('event-names.md')

const seconds = 1_760_000_000
const webhookUrl = 'https://example.com/webhooks/mandrill'
const sendgrid = sendgridSimulator({ apiKey: 'SG.key' })
const mailgun = mailgunSimulator({ apiKey: 'key-test', domain: 'mg.example.com' })
const mandrill = mandrillSimulator({ apiKey: 'md-key', webhookUrl })
const mandrillId = '4f1c0d9be2a84c7fb2d35c6a91e07b44'

type Entry = Record<string, unknown>

/** How each provider posts an event with this name, and what else is said to be in it. */
const posts: Record<string, { path: string; post(name: string, stated: Entry): SignedRequest[] }> =
  {
    SendGrid: {
      path: 'sendgrid',
      post: (event, stated) =>
        sendgrid.webhooks(
          [
            {
              event,
              email: 'ann@example.org',
              timestamp: seconds,
              sg_message_id: 'Zk3vQm0pT6-xYc1hR_8LdA.recvd-7c9d8f6b54-q2w8x-1-68A1B2C3-7.0',
              ...stated,
            },
          ],
          new Date(),
        ),
    },
    Mailgun: {
      path: 'mailgun',
      post: (event, stated) =>
        mailgun.webhooks(
          [
            {
              event,
              id: 'Zk2p9uEoQ4ynd0tVb5SL1w',
              timestamp: seconds,
              recipient: 'ann@example.org',
              message: { headers: { 'message-id': 'm-1@mg.example.com' } },
              ...stated,
            },
          ],
          new Date(),
        ),
    },
    "Mailgun's form": {
      path: 'mailgun',
      post: (event, stated) => [mailgunForm({ event, recipient: 'ann@example.org', ...stated })],
    },
    Mandrill: {
      path: 'mandrill',
      post: (event, { msg = {}, ...stated }) =>
        mandrill.webhooks(
          [
            {
              event,
              _id: mandrillId,
              ts: seconds,
              msg: { _id: mandrillId, email: 'ann@example.org', ...Object(msg) },
              ...stated,
            },
          ],
          new Date(),
        ),
    },
    "Mandrill's list": {
      path: 'mandrill',
      post: (name, { reject = {} }) => {
        const [type, action] = name.split('_')
        const entry = { email: 'ann@example.org', ...Object(reject) }
        const held = type === 'whitelist' ? { entry } : { reject: entry }
        return mandrill.webhooks([{ type, action, ...held, ts: seconds }], new Date())
      },
    },
  }

function mailgunForm(fields: Entry): SignedRequest {
  const timestamp = String(Math.floor(Date.now() / 1000))
  const token = 'a'.repeat(50)
  const signature = createHmac('sha256', mailgun.signingKey)
    .update(timestamp + token)
    .digest('hex')
  const form: Entry = {
    'Message-Id': '<m-1@mg.example.com>',
    timestamp,
    token,
    signature,
    ...fields,
  }
  return {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: Buffer.from(asForm(form)),
  }
}

const asForm = (fields: Entry): string =>
  Object.entries(fields)
    .map((pair) => pair.map((part) => encodeURIComponent(String(part))).join('='))
    .join('&')

/** `delivery-status.code: 605` as it stands in an entry; several of one object are put together. */
function entryOf(cell: string): Entry {
  const entry: Entry = {}
  for (const [path, value] of statements(cell)) {
    const [first = '', second] = path.split('.')
    if (second === undefined) entry[first] = value
    else {
      const deeper = path.split('.').slice(1)
      const inner = deeper.reduceRight<unknown>((held, name) => ({ [name]: held }), value)
      entry[first] = { ...Object(entry[first]), ...Object(inner) }
    }
  }
  return entry
}

function statements(cell: string): [path: string, value: unknown][] {
  return spans(cell).map((span) => {
    const colon = span.indexOf(':')
    const value = span.slice(colon + 1).trim()
    return [span.slice(0, colon), /^(?:\d+|true|false)$/.test(value) ? JSON.parse(value) : value]
  })
}

function at(event: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((held, name) => Reflect.get(Object(held), name), event)
}

let correlator: ReturnType<typeof createCorrelator>
let told: MailEvent[]

beforeEach(() => {
  told = []
  correlator = createCorrelator({
    store: memoryStore(),
    foreignAfter: 0,
    webhooks: [
      sendgridWebhook({ publicKey: sendgrid.publicKey }),
      mailgunWebhook({ signingKey: mailgun.signingKey }),
      mandrillWebhook({ key: mandrill.webhookKey, url: webhookUrl }),
    ],
  })
  correlator.onAny((event) => void told.push(event))
})

afterEach(() => correlator.close())

describe.each(Object.entries(posts))('the table of %s', (title, { path, post }) => {
  test.each(table(names, title))('%s %s is %s %s', async (name, stated, type, has) => {
    const [providerEvent = ''] = spans(name ?? '')
    for (const { headers, body } of post(providerEvent, entryOf(stated ?? ''))) {
      const request = new Request(`https://example.com/webhooks/${path}`, {
        method: 'POST',
        headers,
        body: new Uint8Array(body),
      })
      expect((await correlator.handler(request)).status).toBe(200)
    }
    await correlator.drain()
    expect(told).toHaveLength(1)
    const [event] = told
    expect(event).toMatchObject({ type: spans(type ?? '')[0], providerEvent })
    for (const [field, value] of statements(has ?? '')) {
      expect(`${field}: ${String(at(event, field))}`).toBe(`${field}: ${String(value)}`)
    }
  })
})

/** The keys of a lookup table, as it stands in a source. */
function keysOf(file: string, lookup: string): string[] {
  const source = readFileSync(join(root, 'src/providers', file), 'utf8')
  const written = new RegExp(`const ${lookup}\\b[\\s\\S]*?\\[\\n([\\s\\S]*?)^\\]`, 'm')
  const [, list] = written.exec(source) ?? []
  if (list === undefined) throw new Error(`${file} has no ${lookup}`)
  return [...list.matchAll(/^ {2}\[\s*'([^']+)'/gm)].map(([, key = '']) => key)
}

const inOneWord = (text: string): string => text.toLowerCase().replace(/[\s_-]/g, '')

/** Whether a table speaks of a key: as the name of an event, or as how a value begins. */
function speaksOf(title: string, key: string): boolean {
  return table(names, title).some(([name = '', stated = '']) =>
    [...spans(name), ...statements(stated).map(([, value]) => String(value))].some((word) =>
      inOneWord(word).startsWith(inOneWord(key)),
    ),
  )
}

test.each([
  ['SendGrid', 'sendgrid/entries.ts', 'facts'],
  ['SendGrid', 'sendgrid/undelivered.ts', 'classifications'],
  ['SendGrid', 'sendgrid/undelivered.ts', 'dropReasons'],
  ['Mailgun', 'mailgun/event-data.ts', 'facts'],
  ['Mailgun', 'mailgun/undelivered.ts', 'suppressions'],
  ['Mailgun', 'mailgun/undelivered.ts', 'kindsByReason'],
  ['Mailgun', 'mailgun/undelivered.ts', 'kindsByVagueReason'],
  ["Mailgun's form", 'mailgun/legacy.ts', 'translations'],
  ['Mandrill', 'mandrill/message-event.ts', 'facts'],
  ['Mandrill', 'mandrill/undelivered.ts', 'rejectReasons'],
])('the table of %s lacks nothing that %s knows in %s', (title, file, lookup) => {
  const keys = keysOf(file, lookup)
  expect(keys.length).toBeGreaterThan(1)
  expect(keys.filter((key) => !speaksOf(title, key))).toEqual([])
})

test("every name of Mandrill's lists stands there", () => {
  const words = names.split(/[`_\s]+/)
  expect(keysOf('mandrill/sync-event.ts', 'lists').filter((key) => !words.includes(key))).toEqual(
    [],
  )
})

test.each([
  ['SendGrid', 1],
  ['Mailgun', 2],
  ['Mandrill', 3],
])('the names of %s by type are those of its own table', (title, column) => {
  const byType = table(names, 'type').map((row) => [row[0], spans(row[column] ?? '')] as const)
  for (const [type = '', listed] of byType) {
    if (['suppression', 'inbound', 'unknown'].includes(spans(type)[0] ?? '')) continue
    const own = table(names, title).filter(([, , is]) => is === type)
    const expected = new Set(own.flatMap(([name = '']) => spans(name)))
    expect([type, listed.toSorted()]).toEqual([type, [...expected].toSorted()])
  }
})

test('what Mandrill answers a send with is read as the table says', async () => {
  const provider = await startProvider(mandrill)
  const transporter = nodemailer.createTransport(
    mandrillTransport({ apiKey: 'md-key', baseUrl: provider.url }),
  )
  const rows = table(names, '`status` of the answer')
  const answers = [
    ['sent', 'accepted'],
    ...rows.map(([word = '', is = '']) => [spans(word)[0], spans(is)[0]]),
  ]
  const recipients = answers.map(([word = ''], index) => ({
    email: `${word}-${index}@example.org`,
    status: word,
  }))
  const body = JSON.stringify(recipients.map((item, index) => ({ ...item, _id: String(index) })))
  provider.failNext({
    kind: 'answer',
    status: 200,
    headers: { 'content-type': 'application/json' },
    body,
  })
  const to = recipients.map(({ email }) => email)
  const info = await transporter.sendMail({
    from: 'shop@example.com',
    to,
    subject: 'Hello',
    text: 'Hello',
  })
  expect(info.recipients.map(({ providerStatus, status }) => [providerStatus, status])).toEqual(
    answers,
  )
  await provider.close()
})
