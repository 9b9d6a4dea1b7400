import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { newFolder, root, type RunningCommand, start } from '../cli/running.js'
import { startEndpoint } from '../endpoint.js'
import { describeInBrowser, startChromium, watchedPage } from './chromium.js'

const ann = 'ann@example.com'
const password = 'a secret of the team'
const limit = 90_000

/** A port that nobody has; the sandbox is told of it before the app is there. */
async function freePort(): Promise<string> {
  const taken = await startEndpoint(() => {})
  await taken.close()
  return new URL(taken.url).port
}

describeInBrowser('mailtrail dev and the example app, in a browser', () => {
  let folder: ReturnType<typeof newFolder>
  let sandbox: RunningCommand
  let stopApp: () => Promise<unknown>
  let url: string
  let browser: Browser
  let page: Page
  let faults: string[]

  beforeEach(async () => {
    folder = newFolder()
    const port = await freePort()
    url = `http://127.0.0.1:${port}`
    sandbox = start(['dev', '--port', '0', '--to', `${url}/webhooks`, '--json'], folder)
    await sandbox.wrote(/"ready".*\n/)
    const { environment } = JSON.parse(sandbox.stdout().split('\n')[0] ?? '')
    const app = spawn(process.execPath, [join(root, 'examples/dashboard/server.mjs')], {
      cwd: folder.folder,
      env: { ...environment, PORT: port, DASHBOARD_PASSWORD: password },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = once(app, 'exit')
    stopApp = async () => {
      app.kill()
      return ended
    }
    await once(app.stdout, 'data')
    browser = await startChromium()
    const httpCredentials = { username: 'team', password }
    ;({ page, faults } = await watchedPage(browser, { httpCredentials }))
  }, limit)
  afterEach(async () => {
    await browser.close()
    // Its server waits for nobody who looks.
    expect(await stopApp()).toEqual([0, null])
    sandbox.signal('SIGTERM')
    expect((await sandbox.ended).code).toBe(0)
    folder.remove()
  }, limit)

  test(
    'what the app sends is seen to arrive without a reload, and a bounce to suppress the address',
    async () => {
      expect((await fetch(`${url}/mailtrail/`)).status).toBe(401)
      await page.goto(`${url}/mailtrail/messages`)
      await page.getByText('Live', { exact: true }).waitFor()
      await page.getByText('No message fits').waitFor()
      await page.evaluate(() => Object.assign(globalThis, { loadedOnce: true }))
      const answer = await fetch(`${url}/invitations`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ email: ann }),
      })
      expect(answer.status).toBe(202)
      const subject = page.getByRole('link', { name: 'You are invited' })
      await subject.waitFor()
      await page.locator('#messages').getByText('✓ delivered').waitFor()
      expect(await page.evaluate(() => Reflect.get(globalThis, 'loadedOnce'))).toBe(true)
      await subject.click()
      await page.locator('#timeline .edge-delivered').first().waitFor()
      await page.getByText('Live', { exact: true }).waitFor()
      sandbox.write('b')
      await page.locator('#timeline .edge-bounced').first().waitFor()
      await page.getByRole('link', { name: 'Suppressions' }).click()
      await page.getByRole('link', { name: ann }).waitFor()
      expect(faults).toEqual([])
    },
    limit,
  )
})
