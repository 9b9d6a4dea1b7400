import { describe, expect, test } from '@jest/globals'
import nodemailer from 'nodemailer'
import type { MailOptions, ProviderTransporter, SendError } from '../../src/index.js'
import { mailgunSimulator, mailgunTransport } from '../../src/providers/mailgun/index.js'
import { mailgunKit } from '../../src/providers/mailgun/kit.js'
import { mandrillSimulator, mandrillTransport } from '../../src/providers/mandrill/index.js'
import { mandrillKit } from '../../src/providers/mandrill/kit.js'
import {
  sendgridSimulator,
  sendgridTransport,
  sendgridWebhook,
} from '../../src/providers/sendgrid/index.js'
import { sendgridKit } from '../../src/providers/sendgrid/kit.js'
import { readPage, section, spans, table } from './page.js'

const page = readPage('provider-behaviour.md')
const glance = new Map(table(page, '').map(([name = '', ...cells]) => [name, cells] as const))
const minute = 60_000
const megabyte = 1024 * 1024

const providers = [
  { name: 'SendGrid', kit: sendgridKit, simulator: sendgridSimulator({ apiKey: 'SG.key' }) },
  {
    name: 'Mailgun',
    kit: mailgunKit,
    simulator: mailgunSimulator({ apiKey: 'key', domain: 'mg.example.com' }),
  },
  {
    name: 'Mandrill',
    kit: mandrillKit,
    simulator: mandrillSimulator({ apiKey: 'md', webhookUrl: 'https://example.com/m' }),
  },
]

describe('what the page says of retries is what the simulated provider does', () => {
  test.each(providers.map((provider, column) => ({ ...provider, column })))(
    '$name stops at the answers of the table, and the command line says so',
    ({ kit, simulator, column }) => {
      const [...stated] = spans(glance.get('stops at an answer of')?.[column] ?? '')
      expect(stated.length).toBeGreaterThan(0)
      const stops = (status: number): boolean =>
        stated.some((answer) => new RegExp(`^${answer.replaceAll('x', '\\d')}$`).test(`${status}`))
      for (const status of [200, 201, 204, 301, 400, 401, 403, 404, 406, 413, 415, 429, 500, 503]) {
        expect([status, simulator.retries?.isTaken(status)]).toEqual([status, stops(status)])
        if (status !== 406) expect(kit.afterAnswer(status).taken).toBe(stops(status))
      }
    },
  )

  test('SendGrid comes again for a day', () => {
    const [waits] = providers.map(({ simulator }) => simulator.retries?.waits ?? [])
    const hours = (waits ?? []).reduce((sum, wait) => sum + wait, 0) / (60 * minute)
    expect(hours).toBeGreaterThan(12)
    expect(hours).toBeLessThanOrEqual(Number.parseInt(glance.get('comes again for')?.[0] ?? '', 10))
  })

  test('Mailgun comes again after the minutes that are listed', () => {
    const [row = ''] = section(page, 'Mailgun').match(/^\| comes again .*$/m) ?? []
    const [stated = ''] = row.split('|').slice(1)
    expect(spans(stated).map((minutes) => Number(minutes) * minute)).toEqual(
      providers[1]?.simulator.retries?.waits,
    )
  })

  test('Mandrill comes again as often as is said', () => {
    const [row = ''] = section(page, 'Mandrill').match(/^\| comes again .*$/m) ?? []
    const [, times, from, to] =
      /`(\d+)` times, every (\d+) to (\d+) minutes|`(\d+) times/.exec(row) ?? []
    const waits = providers[2]?.simulator.retries?.waits ?? []
    expect(waits).toHaveLength(Number(times))
    for (const wait of waits) {
      expect(wait).toBeGreaterThanOrEqual(Number(from) * minute)
      expect(wait).toBeLessThanOrEqual(Number(to) * minute)
    }
  })
})

test("SendGrid's batches may be as large as is said", () => {
  const [, stated] = /bodies of up to (\d+) MB/.exec(section(page, 'SendGrid')) ?? []
  const { publicKey } = sendgridSimulator({ apiKey: 'SG.key' })
  expect(sendgridWebhook({ publicKey }).maxBodyBytes).toBe(Number(stated) * megabyte)
})

// Nobody listens there: what was not refused before comes to nothing.
const options = { baseUrl: 'http://127.0.0.1:9', retries: 0, apiKey: 'SG.key' }
const transporters: ProviderTransporter[] = [
  nodemailer.createTransport(sendgridTransport(options)),
  nodemailer.createTransport(mailgunTransport({ ...options, domain: 'mg.example.com' })),
  nodemailer.createTransport(mandrillTransport(options)),
]

const day = 24 * 60 * minute
const times = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

/** A message that has so much of what a limit is for. */
const reaching: Record<string, (size: number) => MailOptions> = {
  'recipients in a call': (count) => ({ to: times(count).map((n) => `ann${n}@example.org`) }),
  'tags of a message': (count) => ({ tags: times(count).map((n) => `tag-${n}`) }),
  'characters of a tag': (length) => ({ tags: ['t'.repeat(length)] }),
  'bytes of metadata as JSON, with our id': (bytes) => ({
    metadata: { k: 'v'.repeat(bytes - idBytes) },
  }),
  'days ahead for `sendAt`': (days) => ({ sendAt: new Date(Date.now() + days * day - minute) }),
  'characters of the subject': (length) => ({ subject: 's'.repeat(length) }),
  // In base64 it is a third more, and lines have ends.
  'MB of a message': (size) => ({
    attachments: [{ filename: 'a.bin', content: Buffer.alloc(size * megabyte * 0.7) }],
  }),
}

const idBytes = JSON.stringify({
  mailtrail_id: '01a22024-0ef2-7144-abc7-e0316e35a7d8',
  k: '',
}).length

/** What goes beyond a limit, where one more of the same does not yet. */
const beyond: Record<string, number> = { 'MB of a message': 3 }

describe('the limits of the page', () => {
  const cases = table(page, 'at most').flatMap(([limit = '', ...cells]) =>
    cells.map((cell, column) => ({ limit, cell, column, name: providers[column]?.name })),
  )

  test.each(cases)('$name: $cell $limit', async ({ limit, cell, column }) => {
    const message = reaching[limit]
    const transporter = transporters[column]
    if (!message || !transporter) throw new Error(`nobody knows the limit "${limit}"`)
    const category = async (size: number): Promise<string> => {
      const mail = {
        from: 'shop@mg.example.com',
        to: 'ann@example.org',
        subject: 'Hello',
        text: 'Hello',
      }
      const error: SendError = await transporter
        .sendMail({ ...mail, ...message(size) })
        .catch((thrown) => thrown)
      return error.category
    }
    if (cell === '–') return expect(await category(2000)).toBe('network')
    const most = Number(cell.replaceAll(',', ''))
    expect(await category(most)).toBe('network')
    expect(await category(most + (beyond[limit] ?? 1))).toBe('validation')
  })
})
