import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { parse } from 'csv-parse/sync'
import type { Browser } from 'playwright-core'
import { type Board, startBoard } from './board.js'
import { describeInBrowser, startChromium, watchedPage } from './chromium.js'
import { hostile, hostileLinks, placesOfMessage, sendHostileMail } from './hostile-mail.js'

const limit = 60_000
let running: Board
let trackingId: string
beforeAll(async () => {
  running = await startBoard()
  trackingId = await sendHostileMail(running)
})
afterAll(() => running.close())

const views = (): string[] => [
  '',
  'messages',
  `messages/${trackingId}`,
  'suppressions',
  'dead-letters',
  ...hostileLinks,
  `?days=${encodeURIComponent(hostile('days'))}&provider=${encodeURIComponent(hostile('name'))}`,
  `messages/${encodeURIComponent(hostile('id'))}`,
]

test('no view has an element, an attribute or a script of a mail in its source', async () => {
  for (const path of views()) {
    const source = await (await fetch(running.url + path)).text()
    expect([
      path,
      source.match(/<img|<svg\/|<script>|<\/title>(?=[\s\S]*<\/title>)|["']javascript:/),
    ]).toEqual([path, null])
  }
})

test('a policy forbids scripts and styles that are no files of the dashboard', async () => {
  for (const path of views()) {
    const { headers } = await fetch(running.url + path)
    expect(headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; script-src 'self';/,
    )
    // Nothing from elsewhere, of whatever kind, and nothing that stands in the page itself.
    expect(headers.get('content-security-policy')).toMatch(
      /^(?:(?:; )?[a-z-]+ '(?:none|self)'(?: data:)?)+$/,
    )
    expect(headers.get('x-frame-options')).toBe('DENY')
    expect(headers.get('cache-control')).toBe('no-store')
  }
})

test('no cell of a CSV begins with what a spreadsheet would carry out', async () => {
  const { correlator } = running
  const formulas = ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', '=cmd|"/c calc"!A1']
  for (const subject of formulas) {
    const recipients = ['ann@example.org']
    await correlator.record({
      provider: 'sendgrid',
      providerMessageId: subject,
      recipients,
      subject,
    })
  }
  const answer = await fetch(
    `${running.url}messages?recipient=ann@example.org&table=messages&format=csv`,
  )
  expect(answer.headers.get('content-type')).toBe('text/csv; charset=utf-8')
  const text = await answer.text()
  // Unquoted, this would be a row of its own for some.
  expect(text).toContain('"\'\r=1"')
  const rows: string[][] = parse(text, { record_delimiter: '\r\n' })
  expect(rows[0]).toEqual([
    'sent_at',
    'status',
    'subject',
    'recipients',
    'provider',
    'tags',
    'tracking_id',
  ])
  expect(
    rows
      .slice(1)
      .map((row) => row[2])
      .toReversed(),
  ).toEqual(formulas.map((formula) => `'${formula}`))
})

test('a table as JSON is what it is as CSV, with its cursor', async () => {
  const answer = await fetch(
    `${running.url}messages?tag=${encodeURIComponent(hostile('tag'))}&table=messages&format=json`,
  )
  expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
  expect(await answer.json()).toEqual({
    table: 'messages',
    rows: [expect.objectContaining({ subject: hostile('subject'), tracking_id: trackingId })],
  })
})

describeInBrowser('in a browser', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await startChromium()
  }, limit)
  afterAll(() => browser.close())

  test(
    'nothing of a mail runs, and all of it is shown',
    async () => {
      const { page, faults } = await watchedPage(browser, {
        viewport: { width: 390, height: 800 },
      })
      await page.addInitScript(() => {
        Object.assign(globalThis, { fired: (place: string) => console.error(`${place} ran`) })
      })
      for (const path of views()) {
        await page.goto(running.url + path)
        await page.waitForLoadState('load')
        const over = 'document.documentElement.scrollWidth - innerWidth'
        expect([path, await page.evaluate(over)]).toEqual([path, 0])
        expect(
          await page.locator('img, main script, main iframe, [onload], [onerror]').count(),
        ).toBe(0)
        for (const link of await page.locator('a').all()) {
          expect(await link.evaluate((element) => Reflect.get(element, 'protocol'))).toMatch(
            /^https?:$/,
          )
        }
      }
      await page.goto(`${running.url}messages/${trackingId}`)
      for (const summary of await page.locator('summary').all()) await summary.click()
      const text = await page.locator('main').innerText()
      for (const place of placesOfMessage) {
        const shown = place === 'raw' ? JSON.stringify(hostile(place)) : hostile(place)
        expect([place, text.includes(shown)]).toEqual([place, true])
      }
      expect(text).toContain('javascript:fired("url")')
      await page.goto(`${running.url}dead-letters`)
      const letters = await page.locator('main').innerText()
      for (const place of ['listener', 'failure', 'subject'])
        expect(letters).toContain(hostile(place))
      await page.close()
      // The one page that is not there.
      expect(faults.filter((fault) => !fault.includes('404'))).toEqual([])
    },
    limit,
  )
})
