import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import {
  ask,
  examplesFolder,
  patience,
  type RunningExample,
  startExample,
  startSurroundings,
  startTunnel,
} from './running.js'

const program = join(dirname(examplesFolder), 'dist/esm/cli/bin.js')

let tunnel: Awaited<ReturnType<typeof startTunnel>>
let sandbox: RunningExample
/** Where the sandbox keeps its keys. */
let folder = ''
/** What it says is to be set. */
let environment: Record<string, string>

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mailtrail sandbox '))
  tunnel = await startTunnel()
  sandbox = await startExample([program, 'dev', '--json', '--port', '0', '--to', tunnel.webhooks], {
    environment: { XDG_CONFIG_HOME: folder },
    readyLine: '"kind":"ready"',
  })
  environment = JSON.parse(await sandbox.said('"kind":"ready"')).environment
}, patience)
afterAll(async () => {
  await sandbox?.stop()
  await tunnel?.close()
  rmSync(folder, { recursive: true, force: true })
})

test('examples are tested with the variables that mailtrail dev prints', async () => {
  const around = await startSurroundings()
  await around.close()
  expect(Object.keys(around.environment).toSorted()).toEqual(Object.keys(environment).toSorted())
})

test('with these an example works as it says at its head', async () => {
  const example = await startExample(['node-http/server.mjs'], { environment })
  try {
    tunnel.leadTo(example.url)
    const email = 'ann@example.com'
    expect((await ask('POST', `${example.url}/invitations`, { email })).status).toBe(202)
    await example.said('ann@example.com has it')
    sandbox.write('b')
    await example.said('ann@example.com bounced (hard): You are invited')
  } finally {
    await example.stop()
  }
})
