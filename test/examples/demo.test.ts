import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createCorrelator } from 'mailtrail'
import { sqliteStore } from 'mailtrail/sqlite'

const examples = join(dirname(dirname(__dirname)), 'examples', 'demo')
let folder = ''

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mailtrail demo '))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const run = (program: string, ...options: string[]) =>
  spawnSync(process.execPath, [join(examples, program), ...options], {
    cwd: folder,
    encoding: 'utf8',
  })

test('the demo shows what it should, and so does its second run', () => {
  for (let time = 0; time < 2; time += 1) {
    const { stdout, status } = run('demo.mjs')
    expect(stdout).toContain('All as it should be: 21 messages, 39 events.')
    expect(status).toBe(0)
  }
})

test('the demo fails when it cannot write its file', () => {
  const { status } = run('demo.mjs', join(folder, 'missing', 'demo.db'))
  expect(status).not.toBe(0)
})

test('the demo deletes no file that it was given', () => {
  const file = join(folder, 'kept.db')
  writeFileSync(file, 'mine')
  expect(run('demo.mjs', file).status).toBe(1)
  expect(readFileSync(file, 'utf8')).toBe('mine')
})

test('a timeline of no file is refused, and makes none', () => {
  const { stderr, status } = run('timeline.mjs', 'no.db')
  expect([status, stderr]).toEqual([1, expect.stringContaining('there is no no.db')])
  expect(existsSync(join(folder, 'no.db'))).toBe(false)
})

test.each([3, 12, 25])('killed after it has told %i events, its file has them', async (count) => {
  const file = join(folder, `killed after ${count}.db`)
  const demo = spawn(process.execPath, [join(examples, 'demo.mjs'), file], { cwd: folder })
  const closed = once(demo, 'close')
  let output = ''
  for await (const piece of demo.stdout) {
    output += String(piece)
    if (eventIds(output).length >= count) demo.kill('SIGKILL')
  }
  await closed
  expect(demo.signalCode).toBe('SIGKILL')
  expect(eventIds(output).length).toBeGreaterThanOrEqual(count)

  const correlator = createCorrelator({ store: sqliteStore(file) })
  const { messages } = await correlator.find()
  const found = await Promise.all(messages.map(({ trackingId }) => correlator.message(trackingId)))
  await correlator.close()
  const stored = found.flatMap((message) => message?.events.map(({ id }) => id) ?? [])
  expect(stored).toEqual(expect.arrayContaining(eventIds(output)))
  expect(run('timeline.mjs', file).stdout).toContain(
    `${messages.length} messages, ${stored.length} events`,
  )
})

/** The ids at the end of the lines that tell events. */
function eventIds(output: string): string[] {
  return [...output.matchAll(/”  ([\da-f-]{36})\n/g)].flatMap(([, id]) => id ?? [])
}
