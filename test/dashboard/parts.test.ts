import { describe, expect, jest, test } from '@jest/globals'
import { adviceOnCode, adviceOnError, adviceOnReason } from '../../src/dashboard/advice.js'
import { deliveryTimes, readDeliveryTimes } from '../../src/dashboard/delivery-times.js'
import { duration, share } from '../../src/dashboard/formats.js'
import { html } from '../../src/dashboard/html.js'
import { linkTo, linkWith, webUrl } from '../../src/dashboard/links.js'
import { messageSearch } from '../../src/dashboard/message-query.js'
import { noticeOf } from '../../src/dashboard/notices.js'
import { findBySubject } from '../../src/dashboard/subject-search.js'
import { table } from '../../src/dashboard/table.js'
import { createCorrelator, memoryStore } from '../../src/index.js'
import { postTo, recordNamed, signedPost, signedWebhook } from '../signed-posts.js'

describe('HTML', () => {
  test.each([
    ['<b>&"\'', '&lt;b&gt;&amp;&quot;&#39;'],
    ['a\nb\tc\r', 'a\nb\tc\r'],
    ['evil\u202egpj.exe', 'evil\u{fffd}gpj.exe'],
    ['nul\0 bell\u0007', 'nul\u{fffd} bell\u{fffd}'],
    ['half \ud83d', 'half \u{fffd}'],
  ])('escapes %j', (given, written) => {
    expect(html`<p title="${given}">${given}</p>`.text).toBe(`<p title="${written}">${written}</p>`)
  })

  test('takes lists, numbers and its own kind, and shows nothing for what is not there', () => {
    const items = ['<', 1].map((item) => html`<li>${item}</li>`)
    expect(html`${items}${undefined}${false}`.text).toBe('<li>&lt;</li><li>1</li>')
  })
})

describe('links', () => {
  const place = { root: '../', path: 'messages/1', parameters: new URLSearchParams('a=1&b=2') }

  test('lead from a view to others, below whatever prefix', () => {
    expect(linkTo(place, 'messages', { tag: 'a&b' })).toBe('../messages?tag=a%26b')
    expect(linkTo({ root: '' }, '')).toBe('./')
  })

  test('keep the state of a view but for what changes', () => {
    expect(linkWith(place, { a: '', c: '3' })).toBe('../messages/1?b=2&c=3')
  })

  test.each([
    ['https://example.com/a?b=c', 'https://example.com/a?b=c'],
    ['HTTP://EXAMPLE.com', 'http://example.com/'],
    ['javascript:alert(1)', undefined],
    [' \tjava\nscript:alert(1)', undefined],
    ['data:text/html,<script>', undefined],
    ['vbscript:x', undefined],
    ['file:///etc/passwd', undefined],
    ['/relative', undefined],
    ['', undefined],
  ])('out of a mail lead to web pages alone: %j', (url, link) => {
    expect(webUrl(url)).toBe(link)
  })
})

describe('advice', () => {
  test.each([
    ['5.1.1', /no such mailbox/],
    ['4.2.2', /full/],
    ['5.7.26', /SPF/],
    ['5.7.99', /policy/],
    ['5.4.321', /broken/],
  ])('on %s', (code, words) => expect(adviceOnCode(code)).toMatch(words))

  test.each(['', '5.1', '2', '9.1.1', '5.9.9', '5.1.1<script>', '5.constructor.1'])(
    'there is none on %j',
    (code) => expect(adviceOnCode(code)).toBeUndefined(),
  )

  test.each([
    ['bounced: hard 5.1.1', /no such mailbox/],
    ['bounced: hard 550', /never be reached/],
    ['bounced: block', /reputation/],
    ['unsent: auth', /API key/],
    ['rejected: unsubscribed', /no more mail/],
    ['rejected: timed-out', /its time was over/],
  ])('on the reason %s', (reason, words) => expect(adviceOnReason(reason)).toMatch(words))

  test('warns of sending again what may have been sent', () => {
    const error = { code: 'ETIMEDOUT', category: 'timeout', message: 'x', retryable: true }
    expect(adviceOnError({ ...error, outcome: 'unknown' })).toMatch(/Do not send it again before/)
    expect(adviceOnError({ ...error, outcome: 'not-sent' })).not.toMatch(/Do not send it again/)
  })
})

describe('what a URL asks for', () => {
  const search = (query: string) => messageSearch(new URLSearchParams(query))

  test('is a question', () => {
    const query =
      'recipient=+ann@example.org&provider=mailgun&status=bounced&tag=a&metadata=order=4=2&from=2026-11-01&to=2026-11-30&subject=Hi'
    expect(search(query)).toEqual({
      subject: 'Hi',
      flaws: [],
      query: {
        recipient: 'ann@example.org',
        provider: 'mailgun',
        status: 'bounced',
        tag: 'a',
        metadata: { order: '4=2' },
        from: new Date('2026-11-01T00:00:00Z'),
        // The last day counts.
        to: new Date('2026-12-01T00:00:00Z'),
      },
    })
  })

  test.each(['status=lost', 'metadata=order', 'metadata==1', 'from=yesterday', 'to=2026-13-40'])(
    'says what cannot be understood, and leaves it out: %s',
    (query) => {
      const { query: understood, flaws } = search(query)
      expect([understood, flaws.length]).toEqual([{}, 1])
    },
  )

  test('has notices of ours alone', () => {
    const notice = (query: string) => noticeOf(new URLSearchParams(query))
    expect(notice('done=replayed&count=1')).toBe('1 event is being told again.')
    expect(notice('done=replayed&count=1200')).toBe('1,200 events are being told again.')
    expect(notice('done=replayed&count=x')).toBe('1 event is being told again.')
    expect(notice('done=constructor')).toBeUndefined()
    expect(notice('')).toBeUndefined()
  })
})

test.each([
  [[], undefined],
  [[5], { recipients: 1, median: 5, percentile95: 5 }],
  [[10, 1, 2], { recipients: 3, median: 2, percentile95: 10 }],
  [
    Array.from({ length: 100 }, (_, index) => index + 1),
    { recipients: 100, median: 50, percentile95: 95 },
  ],
])('times to delivery of %j', (times, expected) => {
  expect(deliveryTimes(times)).toEqual(expected)
})

test('of the latest 200 messages the time to delivery is told', async () => {
  const correlator = createCorrelator({ store: memoryStore(), webhooks: [signedWebhook()] })
  for (let count = 0; count < 201; count += 1) {
    await recordNamed(correlator, `m-${count}`, 1)
    await postTo(correlator, signedPost([`m-${count}`, 0]))
  }
  expect((await readDeliveryTimes(correlator, {}))?.recipients).toBe(200)
  await correlator.close()
})

test.each([
  [12, '12 ms'],
  [1500, '1.5 s'],
  [59_000, '59 s'],
  [90_000, '1.5 min'],
  [3 * 3600_000, '3.0 h'],
  [72 * 3600_000, '3 days'],
])('%d ms are %s', (length, text) => expect(duration(length).replace('\u00a0', ' ')).toBe(text))

test.each([
  [undefined, '–'],
  [0, '0%'],
  [0.0004, '0.04%'],
  [0.9666, '96.7%'],
])('the share %p is %s', (part, text) => expect(share(part)).toBe(text))

test('a subject is looked for page by page, through each message once', async () => {
  const correlator = createCorrelator({ store: memoryStore(), webhooks: [] })
  for (let index = 0; index < 2100; index += 1) {
    await correlator.record({
      provider: 'sendgrid',
      providerMessageId: `m-${index}`,
      recipients: ['ann@example.org'],
      ...(index % 700 === 0 && { subject: `Straße ${index}` }),
      sentAt: new Date(Date.now() - (2100 - index) * 1000),
    })
  }
  const first = await findBySubject(correlator, {}, 'STRASSE'.replace('SS', 'ß'), 1)
  expect(first.messages.map(({ subject }) => subject)).toEqual(['Straße 1400'])
  const second = await findBySubject(correlator, {}, 'straße', 5, first.cursor)
  expect(second.messages.map(({ subject }) => subject)).toEqual(['Straße 700', 'Straße 0'])
  expect(first.lookedAt + second.lookedAt).toBe(2100)
  expect(second.cursor).toBeUndefined()
  const none = await findBySubject(correlator, {}, 'nothing', 5)
  expect([none.messages, none.lookedAt]).toEqual([[], 2000])
  expect(none.cursor).toBeDefined()
  await correlator.close()
})

test('CSV without its package says what to install', async () => {
  jest.doMock('csv-stringify/sync', () => {
    throw Object.assign(new Error("Cannot find module 'csv-stringify'"), {
      code: 'MODULE_NOT_FOUND',
    })
  })
  const { toCsv }: typeof import('../../src/dashboard/exports.js') = jest.requireActual(
    '../../src/dashboard/exports',
  )
  const rows = table({ name: 'days', caption: '', empty: '', rows: [], columns: [] })
  await expect(toCsv(rows)).rejects.toThrow('npm install csv-stringify')
  jest.dontMock('csv-stringify/sync')
})
