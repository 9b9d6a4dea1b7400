import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { createTransport } from 'nodemailer'
import type { Browser, Page } from 'playwright-core'
import { keepFailed, type SentInfo } from '../../src/index.js'
import { sendgridTransport } from '../../src/providers/sendgrid/index.js'
import type { SimulatedEventType } from '../../src/testing/index.js'
import { type Board, startBoard } from './board.js'
import { describeInBrowser, seriousFaults, startChromium, watchedPage } from './chromium.js'
import { giveUp } from './given-up.js'

const ann = 'ann@example.org'
const limit = 60_000

let browser: Browser
let running: Board
let page: Page
let faults: string[]

const mail = {
  from: 'Shop <shop@example.com>',
  text: 'x',
  tags: ['order'],
  metadata: { order: '42' },
}

const send = (to: string, subject = 'Your order'): Promise<SentInfo> =>
  running.transporter.sendMail({ ...mail, to, subject })

/** The provider tells an event of the message that was sent last. */
async function happens(type: SimulatedEventType, recipient: string): Promise<void> {
  const message = running.provider.messages.at(-1)
  if (!message) throw new Error('nothing was sent')
  await running.provider.post(message, { events: [{ type, recipient }] })
}

/** Opens a view and waits until it follows changes. */
async function open(path = ''): Promise<void> {
  await page.goto(running.url + path)
  await page.getByText('Live', { exact: true }).waitFor()
}

describeInBrowser('in a browser', () => {
  beforeAll(async () => {
    browser = await startChromium()
  }, limit)
  afterAll(() => browser.close())

  beforeEach(async () => {
    running = await startBoard({ script: () => [] })
    ;({ page, faults } = await watchedPage(browser))
  }, limit)
  afterEach(async () => {
    await page.close()
    await running.close()
  }, limit)
  afterEach(() => expect(faults).toEqual([]))

  test(
    'a message is seen to be delivered, without a reload',
    async () => {
      const { trackingId } = await send(ann)
      await open(`messages/${trackingId}`)
      await page.evaluate(() => Object.assign(globalThis, { loadedOnce: true }))
      await page.getByText('No event has come yet').first().waitFor()
      for (const type of ['accepted', 'delivered', 'opened'] as const) {
        await happens(type, ann)
        await page.locator(`#timeline .edge-${type}`).first().waitFor()
      }
      expect(await page.locator('#summary').innerText()).toContain('✓ delivered')
      expect(await page.evaluate(() => Reflect.get(globalThis, 'loadedOnce'))).toBe(true)
    },
    limit,
  )

  test(
    'a bounce shows up on the overview, and its suppression among the others',
    async () => {
      await send(ann)
      await open('suppressions')
      await page.getByText('Every address may be mailed').waitFor()
      await happens('bounced', ann)
      await page.getByRole('link', { name: ann }).waitFor()
      await page.getByRole('link', { name: 'Overview' }).click()
      await page.locator('#why').getByText('bounced: hard').waitFor()
      expect(await page.locator('#numbers').innerText()).toMatch(/Bounced\s+100%/)
      await page.locator('.chart canvas').first().waitFor()
    },
    limit,
  )

  test(
    'what is shown open, and the focus, stay when something changes',
    async () => {
      const { trackingId } = await send(ann)
      await happens('accepted', ann)
      await open(`messages/${trackingId}`)
      await page.locator('summary').click()
      await happens('delivered', ann)
      await page.locator('#timeline .edge-delivered').first().waitFor()
      expect(await page.locator('details[open]').count()).toBe(1)
      expect(await page.evaluate('document.activeElement.tagName')).toBe('SUMMARY')
    },
    limit,
  )

  test(
    'a page that nobody sees leaves its connection to others, and catches up when it is seen',
    async () => {
      const { trackingId } = await send(ann)
      await open(`messages/${trackingId}`)
      const turn = (hidden: boolean) =>
        page.evaluate(
          `Object.defineProperty(document, 'hidden', { value: ${hidden}, configurable: true })
          document.dispatchEvent(new Event('visibilitychange'))`,
        )
      const ended = page.waitForEvent('requestfailed', (request) =>
        request.url().includes('/live?'),
      )
      await turn(true)
      await ended
      await happens('delivered', ann)
      await turn(false)
      await page.locator('#timeline .edge-delivered').first().waitFor()
    },
    limit,
  )

  test(
    'messages are searched, filtered and paged, all of it in the address',
    async () => {
      const { correlator } = running
      for (let index = 0; index < 120; index += 1) {
        const message = { provider: 'sendgrid', subject: `Invoice ${index}`, tags: ['invoice'] }
        await correlator.record({
          ...message,
          providerMessageId: `m-${index}`,
          recipients: [`customer-${index % 2}@example.com`],
          metadata: { order: String(index) },
          sentAt: new Date(Date.now() - index * 60_000),
        })
      }
      await open('messages')
      const rows = page.locator('#messages tbody tr')
      expect(await rows.count()).toBe(25)
      await page.getByRole('link', { name: 'Older' }).click()
      await page.getByRole('link', { name: 'Invoice 25', exact: true }).waitFor()
      await page.getByRole('link', { name: 'Newest' }).click()
      await page.getByRole('link', { name: 'Invoice 0', exact: true }).waitFor()
      await page.getByLabel('Address').fill('customer-1@example.com')
      await page.getByLabel('Subject has').fill('INVOICE 11')
      await page.getByLabel('Tag').fill('invoice')
      await page.keyboard.press('Enter')
      await page
        .getByText('120 messages were looked at')
        .or(page.getByText('60 messages were looked at'))
        .waitFor()
      expect(await rows.allInnerTexts()).toEqual(
        [
          'Invoice 11',
          'Invoice 111',
          'Invoice 113',
          'Invoice 115',
          'Invoice 117',
          'Invoice 119',
        ].map((subject) => expect.stringContaining(`${subject}\t`)),
      )
      const other = await browser.newPage()
      await other.goto(page.url())
      expect(await other.locator('#messages tbody tr').count()).toBe(6)
      await other.close()
      await page.getByRole('link', { name: 'All messages' }).click()
      await page.getByLabel('Metadata').fill('order=7')
      await page.getByLabel('Status').selectOption('accepted')
      await page.getByRole('button', { name: 'Search' }).click()
      await page.getByRole('link', { name: 'Invoice 7', exact: true }).waitFor()
      expect(await rows.count()).toBe(1)
    },
    limit,
  )

  test(
    'a dead letter is replayed, a suppression added and removed, with the keyboard alone',
    async () => {
      const { trackingId } = await send(ann)
      await happens('delivered', ann)
      await giveUp(running, trackingId)
      await open('dead-letters')
      await page.getByRole('button', { name: /^Replay delivered/ }).focus()
      await page.keyboard.press('Enter')
      await page.getByText('1 event is being told again').waitFor()
      await page.getByText('Every listener took every event').waitFor()
      await open('suppressions')
      await page.getByLabel('Suppress', { exact: true }).focus()
      await page.keyboard.type('bob@example.org')
      await page.keyboard.press('Tab')
      await page.keyboard.type('asked by phone')
      await page.keyboard.press('Enter')
      await page.getByText('The address is suppressed from now on').waitFor()
      await page.getByRole('button', { name: /^Remove bob@example.org/ }).focus()
      await page.keyboard.press('Space')
      await page.getByText('The address may be mailed again').waitFor()
    },
    limit,
  )

  test(
    'the first key leads past the navigation, the next ones through it',
    async () => {
      await open()
      await page.keyboard.press('Tab')
      const focused = () => page.evaluate('document.activeElement.textContent')
      expect(await focused()).toBe('Skip to the content')
      await page.keyboard.press('Enter')
      expect(await page.evaluate('document.activeElement.id')).toBe('main')
      await page.keyboard.press('Tab')
      expect(await page.evaluate('document.activeElement.name')).toBe('days')
      await page.reload()
      const visited: unknown[] = []
      for (let index = 0; index < 6; index += 1) {
        await page.keyboard.press('Tab')
        visited.push(await focused())
      }
      expect(visited.slice(1)).toEqual([
        'Overview',
        'Messages',
        'Suppressions',
        'Dead letters',
        'Dark',
      ])
    },
    limit,
  )

  test(
    'dark and light are the choice of the system, or of who looks',
    async () => {
      const background = () => page.evaluate('getComputedStyle(document.body).backgroundColor')
      await page.emulateMedia({ colorScheme: 'dark' })
      await open()
      expect(await background()).toBe('rgb(20, 23, 28)')
      await page.getByRole('button', { name: 'Use light colours' }).click()
      expect(await background()).toBe('rgb(246, 247, 249)')
      await page.reload()
      expect(await background()).toBe('rgb(246, 247, 249)')
    },
    limit,
  )

  describe('axe finds no serious fault', () => {
    test.each<[string, { colorScheme: 'light' | 'dark'; width: number }]>([
      ['in light', { colorScheme: 'light', width: 1280 }],
      ['in the dark', { colorScheme: 'dark', width: 1280 }],
      ['on a telephone', { colorScheme: 'light', width: 390 }],
    ])(
      '%s',
      async (_, { colorScheme, width }) => {
        await running.close()
        const failing = createTransport(
          sendgridTransport({ apiKey: 'SG.x', baseUrl: running.provider.url, retries: 0 }),
        )
        const failed = keepFailed(failing)
        await failing.sendMail({ ...mail, to: ann, subject: 'Lost' }).catch(() => {})
        running = await startBoard({ script: () => [], failed })
        await page.setViewportSize({ width, height: 900 })
        await page.emulateMedia({ colorScheme })
        await send('bob@example.org')
        await happens('bounced', 'bob@example.org')
        const { trackingId } = await send(ann)
        for (const type of [
          'accepted',
          'deferred',
          'delivered',
          'clicked',
          'complained',
        ] as const) {
          await happens(type, ann)
        }
        await giveUp(running, trackingId)
        for (const path of [
          '',
          'messages',
          `messages/${trackingId}`,
          'suppressions',
          'dead-letters',
          'failed',
          'messages/none',
        ]) {
          if (path === 'messages/none') await page.goto(running.url + path)
          else await open(path)
          expect([path, await seriousFaults(page)]).toEqual([path, []])
          // Nothing makes the page itself wider than the window.
          const over = 'document.documentElement.scrollWidth - innerWidth'
          expect([path, await page.evaluate(over)]).toEqual([path, 0])
        }
        // A page that is not there is told by the console, too.
        faults = faults.filter((fault) => !fault.includes('404'))
      },
      limit,
    )
  })
})
