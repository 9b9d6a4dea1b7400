import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import { dashboard } from '../../src/dashboard/index.js'
import { drawAlarms } from '../../src/dashboard/alarm-list.js'
import { watchAlarms } from '../../src/dashboard/current-alarms.js'
import { createTransport } from 'nodemailer'
import {
  type Alarm,
  type AlarmListener,
  type Correlator,
  failoverTransport,
  keepFailed,
  type SentMessage,
} from '../../src/index.js'
import { sendgridTransport } from '../../src/providers/sendgrid/index.js'
import { type Board, startBoard } from './board.js'
import { giveUp } from './given-up.js'

const ann = 'ann@example.org'
const bob = 'bob@example.net'
const templateId = 'd-0123456789abcdef0123456789abcdef'

let running: Board
let trackingId: string
beforeAll(async () => {
  const broken = createTransport(
    sendgridTransport({ apiKey: 'SG.x', baseUrl: 'http://127.0.0.1:9', retries: 0 }),
  )
  const failed = keepFailed(broken)
  await broken
    .sendMail({ from: 'shop@example.com', to: ann, subject: 'Lost', text: 'x' })
    .catch(() => {})
  running = await startBoard({
    failed,
    script: () => [
      {
        events: [
          { type: 'accepted', recipient: ann },
          { type: 'delivered', recipient: ann },
          { type: 'clicked', recipient: ann, url: 'https://shop.example/a' },
          { type: 'bounced', recipient: bob },
        ],
      },
    ],
  })
  const info = await running.transporter.sendMail({
    from: 'shop@example.com',
    to: [ann, bob],
    subject: 'Your order',
    text: 'x',
    tags: ['order'],
    templateId,
  })
  trackingId = info.trackingId
  await running.provider.settled()
  await fetch(new URL('/webhooks/sendgrid', running.url), { method: 'POST', body: '[]' })
  await giveUp(running, trackingId)
})
afterAll(() => running.close())

const shown = async (path: string): Promise<string> => (await fetch(running.url + path)).text()

async function rowsOf(path: string, table: string): Promise<Record<string, unknown>[]> {
  const query = `${path.includes('?') ? '&' : '?'}table=${table}&format=json`
  const answer = await fetch(running.url + path + query)
  const { rows } = (await answer.json()) as { rows: Record<string, unknown>[] }
  return rows
}

describe('the tables', () => {
  test.each<[string, string, Record<string, unknown>]>([
    ['', 'webhooks', { webhook: 'sendgrid', events: 4, duplicates: 0, refused: 'unsigned: 1' }],
    [
      '',
      'providers',
      { name: 'sendgrid', recipients: 2, delivered: 1, bounced: 1, bounce_rate: 0.5 },
    ],
    ['', 'domains', { name: 'example.net', recipients: 1, bounced: 1, delivery_rate: 0 }],
    [
      '',
      'reasons',
      {
        reason: 'bounced: hard 5.1.1',
        count: 1,
        meaning: expect.stringMatching(/no such mailbox/),
      },
    ],
    ['', 'links', { url: 'https://shop.example/a', clicks: 1 }],
    ['', 'days', { day: new Date().toISOString().slice(0, 10), recipients: 2 }],
    ['', 'tags', { name: 'order', clicked: 1 }],
    ['', 'templates', { name: templateId, recipients: 2 }],
    [
      'messages',
      'messages',
      { subject: 'Your order', status: 'bounced', recipients: `${ann}, ${bob}` },
    ],
    ['suppressions', 'suppressions', { address: bob, cause: 'bounced', scope: 'all' }],
    ['dead-letters', 'dead-letters', { failures: 'crm (10): the CRM is away' }],
    ['failed', 'failed', { subject: 'Lost', category: 'network' }],
  ])('of %j have one of %s', async (path, name, row) => {
    expect(await rowsOf(path, name)).toContainEqual(expect.objectContaining(row))
    const csv = await fetch(`${running.url}${path}?table=${name}&format=csv`)
    expect(csv.headers.get('content-disposition')).toBe(`attachment; filename="${name}.csv"`)
    expect((await csv.text()).split('\r\n').length).toBeGreaterThan(2)
  })

  test('of more than a thousand rows say where the next one is', async () => {
    const long = await startBoard()
    for (let count = 0; count < 1001; count += 1) {
      await long.correlator.suppressions.add(`${count}@example.com`)
    }
    const read = async (query: string) => {
      const answer = await fetch(`${long.url}suppressions?table=suppressions&format=json${query}`)
      return (await answer.json()) as { rows: unknown[]; cursor?: string }
    }
    const first = await read('')
    expect(first.rows).toHaveLength(1000)
    const { rows, cursor } = await read(`&cursor=${encodeURIComponent(first.cursor ?? '')}`)
    expect([rows.length, cursor]).toEqual([1, undefined])
    await long.close()
  })

  test('of a message have its recipients and events', async () => {
    expect(await rowsOf(`messages/${trackingId}`, 'recipients')).toEqual([
      expect.objectContaining({
        address: ann,
        delivered_at: expect.stringMatching(/Z$/),
        clicked: 1,
      }),
      expect.objectContaining({ address: bob, status: 'bounced' }),
    ])
    const events = await rowsOf(`messages/${trackingId}`, 'events')
    expect(events.map(({ type }) => type)).toEqual(['accepted', 'delivered', 'bounced', 'clicked'])
    expect(JSON.parse(String(events[2]?.['raw']))).toMatchObject({ event: 'bounce', email: bob })
  })

  test.each(['?table=none&format=csv', '?format=json', 'messages?table=days&format=csv'])(
    'that are not there are not found: %s',
    async (path) => expect((await fetch(running.url + path)).status).toBe(404),
  )

  test('have no other format', async () => {
    expect((await fetch(`${running.url}?table=days&format=xml`)).status).toBe(400)
  })
})

describe('the overview', () => {
  test('says how much arrived, how long it took, and why not', async () => {
    const page = (await shown('')).replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ')
    expect(page).toMatch(/Delivered 50% 1 of 2 recipients/)
    expect(page).toMatch(/Time to delivery \d/)
    expect(page).toMatch(/Accepted 2 .*Delivered 1 50% .*Clicked 1 100%/)
    expect(page).toContain('unsigned × 1')
    expect(page).toContain('No alarm is raised in this process')
  })

  test('shows one provider alone, and what is no span as a week', async () => {
    expect(await rowsOf('?provider=other&days=x', 'providers')).toEqual([])
    expect(await shown('?days=x')).toMatch(/value="7" selected/)
    expect(await shown('?provider=other')).toMatch(/value="other" selected/)
  })
})

test('a message shows each field, what to do, and that an address is suppressed', async () => {
  const page = await shown(`messages/${trackingId}`)
  for (const words of [
    '550',
    '5.1.1',
    'There is no such mailbox',
    'https://shop.example/a',
    'Suppressed now',
    'own-id',
    // Of the raw payload.
    'sg_message_id',
  ]) {
    expect(page).toContain(words)
  }
  const { events = [] } = (await running.correlator.message(trackingId)) ?? {}
  for (const { id, providerEvent } of events) {
    expect(page).toContain(id)
    expect(page).toContain(providerEvent)
  }
})

test('a message says with whom it was tried before, and what to do about that', async () => {
  const { provider, correlator } = running
  const away = sendgridTransport({ apiKey: 'SG.wrong', baseUrl: provider.url, correlator })
  const working = sendgridTransport({ apiKey: 'SG.x', baseUrl: provider.url, correlator })
  const sent = await createTransport(failoverTransport([away, working])).sendMail({
    from: 'shop@example.com',
    to: 'cid@example.org',
    subject: 'At the second try',
    text: 'x',
  })
  const page = await shown(`messages/${sent.trackingId}`)
  expect(page).toMatch(/What was tried before[\s\S]*auth \(EAUTH\)[\s\S]*class="advice"/)
})

test('suppressions are looked up by their address', async () => {
  await running.correlator.suppressions.add('dan@example.org')
  const rows = await rowsOf('suppressions?address=dan@example.org', 'suppressions')
  expect(rows.map(({ address }) => address)).toEqual(['dan@example.org'])
  expect(await shown('suppressions?address=eve@example.org')).toContain(
    'eve@example.org may be mailed',
  )
})

test.each([
  'messages/none',
  'messages/%zz',
  'messages/a/b',
  'nothing',
  'files/none.js',
  'files/constructor',
])('%s is not found', async (path) => expect((await fetch(running.url + path)).status).toBe(404))

test('without its slash it leads to where its links hold', async () => {
  const answer = await fetch(running.url.replace(/\/$/, ''), { redirect: 'manual' })
  expect([answer.status, answer.headers.get('location')]).toEqual([308, 'mailtrail/'])
})

test('what it can only show takes no other method', async () => {
  const answer = await fetch(running.url, { method: 'DELETE' })
  expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST'])
})

describe('alarms', () => {
  const place = { root: '', path: '', parameters: new URLSearchParams() }
  const since = new Date('2026-11-28T10:00:00Z')
  const common = { state: 'raised', since, provider: 'mailgun', window: 3600_000 } as const
  const failing: Alarm = { ...common, kind: 'failure-rate', failed: 30, messages: 100, rate: 0.3 }
  const silent: Alarm = { ...common, kind: 'silence', messages: 12 }

  test('are told with what to do', () => {
    const { text } = drawAlarms([failing, silent], place)
    expect(text).toContain('2 alarms are raised')
    expect(text).toMatch(/30 of 100[\s\S]*30%/)
    expect(text).toMatch(/No events come from mailgun[\s\S]*its key/)
  })

  test('that are many are behind a click', () => {
    const { text } = drawAlarms([failing, silent, failing, silent, failing], place)
    expect(text).toMatch(/<summary>2 more<\/summary>/)
  })

  test('are kept until they are over', () => {
    let listener: AlarmListener = () => {}
    let stopped = 0
    const on = (_type: string, given: unknown) => {
      listener = given as AlarmListener
      return () => (stopped += 1)
    }
    const alarms = watchAlarms({ on } as unknown as Pick<Correlator, 'on'>)
    listener(failing)
    listener(silent)
    listener({ ...failing, state: 'over' })
    expect(alarms.list()).toEqual([silent])
    for (let index = 0; index < 25; index += 1) {
      const message = { trackingId: String(index), sentAt: new Date() } as SentMessage
      listener({ kind: 'critical-message', state: 'raised', tags: ['critical'], message })
    }
    const ids = alarms
      .list()
      .map((alarm) => alarm.kind === 'critical-message' && alarm.message.trackingId)
    expect(ids).toEqual([...Array.from({ length: 20 }, (_, index) => String(24 - index)), false])
    const sentAt = new Date(Date.now() - 25 * 3600_000)
    const message = { trackingId: 'old', sentAt } as SentMessage
    listener({ kind: 'critical-message', state: 'raised', tags: ['critical'], message })
    expect(alarms.list()).toHaveLength(20)
    alarms.close()
    expect(stopped).toBe(1)
  })
})

describe('the head of a page', () => {
  /** A store whose questions wait until they are let go. */
  async function slowBoard() {
    const slow = await startBoard({ script: () => [] })
    const { promise, resolve, reject } = withResolvers<void>()
    const find = slow.store.find.bind(slow.store)
    slow.store.find = async (...asked) => {
      await promise
      return find(...asked)
    }
    return { slow, resolve, reject }
  }

  test('is there while the store is still asked', async () => {
    const { slow, resolve } = await slowBoard()
    try {
      const { body } = await fetch(`${slow.url}messages`)
      const reader = (body ?? new ReadableStream<Uint8Array>()).getReader()
      const { value } = await reader.read()
      const head = Buffer.from(value ?? []).toString()
      expect(head).toContain('style.css')
      expect(head).toContain('Dead letters')
      expect(head).not.toContain('<main')
      resolve()
      const rest = await reader.read()
      expect(Buffer.from(rest.value ?? []).toString()).toContain('No message fits')
    } finally {
      await slow.close()
    }
  })

  test('is followed by why the rest cannot be had, and no following of it', async () => {
    const { slow, reject } = await slowBoard()
    try {
      reject(new Error('the disk <is> away'))
      const answer = await fetch(`${slow.url}messages`)
      const text = await answer.text()
      expect(text).toMatch(/role="alert">This cannot be shown now: .*the disk &lt;is&gt; away/)
      expect(text).not.toContain('data-live')
      slow.store.message = () => Promise.reject(new Error('away'))
      for (const path of ['messages?table=messages&format=json', `messages/${trackingId}`]) {
        expect([path, (await fetch(slow.url + path)).status]).toEqual([path, 503])
      }
    } finally {
      await slow.close()
    }
  })

  test('has left before a store is asked that answers at once', async () => {
    const { correlator, store } = running
    const board = dashboard({ correlator, authorize: () => true, path: '/' })
    const server = createServer(board.nodeHandler).listen(0, '127.0.0.1')
    let head: Socket | undefined
    server.on('connection', (socket) => (head = socket))
    const waiting: unknown[] = []
    const find = store.find.bind(store)
    store.find = async (...asked) => {
      waiting.push([Number(head?.bytesWritten) > 0, head?.writableLength])
      return find(...asked)
    }
    try {
      await once(server, 'listening')
      const address = server.address()
      const port = typeof address === 'object' ? address?.port : undefined
      await (await fetch(`http://127.0.0.1:${port}/messages`)).text()
      expect(waiting).toEqual([[true, 0]])
    } finally {
      store.find = find
      board.close()
      server.closeAllConnections()
      server.close()
    }
  })

  test('is not there where nothing is, nor for a message that is not', async () => {
    for (const path of ['nothing', 'messages/none']) {
      expect([path, (await fetch(running.url + path)).status]).toEqual([path, 404])
    }
  })

  test('comes whole when only its headers are asked for', async () => {
    const answer = await fetch(running.url, { method: 'HEAD' })
    expect([answer.status, await answer.text()]).toEqual([200, ''])
    expect(Number(answer.headers.get('content-length'))).toBeGreaterThan(1000)
  })
})

function withResolvers<T>() {
  let settle: { resolve(value: T): void; reject(reason: Error): void } | undefined
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject }
  })
  promise.catch(() => {})
  return {
    promise,
    resolve: (value: T) => settle?.resolve(value),
    reject: (reason: Error) => settle?.reject(reason),
  }
}
