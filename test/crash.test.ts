import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { sendgridSimulator } from '../src/providers/sendgrid/index.js'
import { openDatabase } from '../src/stores/sqlite-driver.js'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mailtrail-crash-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const simulator = sendgridSimulator({ apiKey: 'SG.x' })

async function startServer(
  file: string,
): Promise<{ server: ChildProcess; url: string; told: string[] }> {
  const script = join(__dirname, 'crash-server.mjs')
  const server = spawn(process.execPath, [script, file, simulator.publicKey], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const told: string[] = []
  const port = await new Promise<string>((resolve) => {
    createInterface({ input: server.stdout }).on('line', (line) => {
      const [word, value = ''] = line.split(' ')
      if (word === 'port') resolve(value)
      else told.push(value)
    })
  })
  return { server, url: `http://127.0.0.1:${port}/sendgrid`, told }
}

/** A batch of events that nobody has a message for, each with an address of its own. */
function batch(name: string, size: number) {
  const message = { id: name, recipients: [], subject: '', metadata: {}, tags: [], messageId: name }
  const now = new Date()
  const entries = Array.from({ length: size }, (_, index) =>
    simulator.entry(
      { ...message, request: null },
      { type: 'delivered', recipient: `${name}-${index}@example.com` },
      now,
    ),
  )
  const [request] = simulator.webhooks(entries, now)
  if (!request) throw new Error('there is one')
  return { addresses: entries.map(({ email }) => String(email)), request }
}

async function storedAddresses(file: string): Promise<{ addresses: string[]; ids: string[] }> {
  const database = await openDatabase(file)
  const rows = database.prepare('SELECT id, event FROM events').all()
  const ids = rows.map((row) => String(Reflect.get(Object(row), 'id')))
  const addresses = rows.map((row) => JSON.parse(Reflect.get(Object(row), 'event')).recipient)
  database.close()
  return { addresses, ids }
}

test('a server that is killed again and again loses no acknowledged event and keeps no half batch', async () => {
  const file = join(folder, 'store.db')
  const acknowledged: string[] = []
  const all: string[][] = []
  const told = new Set<string>()
  for (let round = 0; round < 6; round += 1) {
    const running = await startServer(file)
    const ended = new Promise((resolve) => running.server.once('close', resolve))
    setTimeout(() => running.server.kill('SIGKILL'), 40 + round * 15)
    const client = async (name: string): Promise<void> => {
      for (let turn = 0; running.server.exitCode === null; turn += 1) {
        const { addresses, request } = batch(`${round}-${name}-${turn}`, 20)
        all.push(addresses)
        const response = await fetch(running.url, { method: 'POST', ...request }).catch(() => null)
        if (response?.status !== 200) return
        acknowledged.push(...addresses)
      }
    }
    await Promise.all([client('a'), client('b'), client('c')])
    await ended
    for (const id of running.told) told.add(id)
  }
  const { addresses, ids } = await storedAddresses(file)
  const stored = new Set(addresses)
  expect(acknowledged.length).toBeGreaterThan(0)
  expect(acknowledged.filter((address) => !stored.has(address))).toEqual([])
  expect(stored.size).toBe(addresses.length)
  for (const group of all) {
    expect([0, group.length]).toContain(group.filter((address) => stored.has(address)).length)
  }
  // What was told was stored before.
  expect([...told].filter((id) => !ids.includes(id))).toEqual([])
})
