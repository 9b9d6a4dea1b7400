import { afterEach, expect, test } from '@jest/globals'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { sendgridSimulator } from '../src/providers/sendgrid/index.js'

const simulator = sendgridSimulator({ apiKey: 'SG.x' })

let folder = ''
let server: ChildProcess | undefined
afterEach(() => {
  server?.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

/** A server whose store is in a file system of 4 MB of its own, and everything it has said. */
async function startServer(): Promise<string[]> {
  folder = mkdtempSync(join(tmpdir(), 'mailtrail-full-'))
  const script = join(__dirname, 'disk-full-server.mjs')
  const mount = 'mount -t tmpfs -o size=4m none "$1" && exec "$2" "$3" "$1" "$4"'
  // Who is not root may mount in a user namespace.
  const namespace = process.getuid?.() === 0 ? ['--mount'] : ['--mount', '--map-root-user']
  const command = ['sh', '-c', mount, 'sh', folder, process.execPath, script, simulator.publicKey]
  const child = spawn('unshare', [...namespace, ...command], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
  server = child
  return lines
}

/** Resolves to the first line that begins so, from here on. */
async function said(lines: string[], start: string): Promise<string> {
  for (const end = Date.now() + 20_000; Date.now() < end; await delay(10)) {
    const line = lines.find((candidate) => candidate.startsWith(start))
    if (line !== undefined) return line
  }
  throw new Error(`it did not say ${start}: ${lines.join(', ')}`)
}

function requestFor(recipient: string) {
  const message = { id: 'm', recipients: [], subject: '', metadata: {}, tags: [], messageId: 'm' }
  const now = new Date()
  const entry = simulator.entry(
    { ...message, request: null },
    { type: 'delivered', recipient },
    now,
  )
  const [request] = simulator.webhooks([entry], now)
  if (!request) throw new Error('there is one')
  return { method: 'POST', ...request }
}

test('a full disk answers 503, stores nothing, and takes the same webhook when there is room', async () => {
  const lines = await startServer()
  const url = `http://127.0.0.1:${(await said(lines, 'port')).slice(5)}/sendgrid`
  expect((await fetch(url, requestFor('before@example.com'))).status).toBe(200)
  server?.stdin?.write('fill\n')
  await said(lines, 'fill done')
  // Some pages of the file may still be free.
  const refused: { request: ReturnType<typeof requestFor>; status: number; told: string }[] = []
  for (let count = 0; refused.length < 5 && count < 3000; count += 1) {
    const recipient = `full-${count}@example.com`
    const request = requestFor(recipient)
    const { status } = await fetch(url, request)
    if (status !== 200) refused.push({ request, status, told: `told ${recipient}` })
  }
  expect(refused.map(({ status }) => status)).toEqual([503, 503, 503, 503, 503])
  expect(await said(lines, 'error the store failed while storing a webhook')).toContain('full')
  expect(lines.filter((line) => refused.some(({ told }) => told === line))).toEqual([])
  server?.stdin?.write('free\n')
  await said(lines, 'free done')
  for (const { request, told } of refused) {
    expect((await fetch(url, request)).status).toBe(200)
    await said(lines, told)
  }
}, 60_000)
