import { afterAll, describe, expect, jest, test } from '@jest/globals'
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createCorrelator } from '../../src/index.js'
import { sqliteStore } from '../../src/stores/sqlite.js'
import { newFolder, program, run } from './running.js'

jest.setTimeout(60_000)

const { folder, remove } = newFolder()
afterAll(remove)

const commands = [
  'dev',
  'trigger',
  'listen',
  'verify',
  'doctor',
  'explain',
  'status',
  'replay',
  'backfill',
  'suppressions',
  'prune',
  'secret',
]

test('the bare command tells every command, and where to begin', async () => {
  const bare = await run([], { folder })
  expect(bare).toMatchObject({ code: 0, stderr: '' })
  const told = [...bare.stdout.matchAll(/^ {2}(\w+) .*\S/gm)].map(([, name]) => name)
  expect(told).toEqual(expect.arrayContaining(commands))
  expect(bare.stdout).toContain('Begin with:\n  $ mailtrail dev\n')
  expect(bare.stdout).toContain(
    'Exit codes: 0 fine, 1 a fault was found or something failed, 2 used',
  )
})

test.each(commands)('%s has help', async (name) => {
  const { code, stdout, stderr } = await run(['help', name], { folder })
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toMatch(new RegExp(`^Usage: mailtrail ${name}[^\\n]*\\n\\n[A-Z][^]*\\.\\n\\n`))
  expect(await run([name, '--help'], { folder })).toMatchObject({ code: 0, stdout })
})

test('a command that there is none of is refused, with the nearest', async () => {
  const { code, stderr } = await run(['docter'], { folder })
  expect([code, stderr]).toEqual([
    2,
    "error: unknown command 'docter'\n(Did you mean doctor?)\n(mailtrail help says what there is)\n",
  ])
})

test('nothing is coloured where the output is no terminal', async () => {
  const { stderr, stdout } = await run(['status', 'x'], { folder, env: { TERM: 'xterm-256color' } })
  expect(stdout + stderr).not.toContain('\u001b')
})

// Of util-linux, which no Linux is without: it gives a program a terminal. Other systems have another one of that name.
const script = '/usr/bin/script'

;(process.platform === 'linux' ? describe : describe.skip)('on a terminal', () => {
  function onTerminal(words: string[], env: Record<string, string>, keys = ''): Promise<string> {
    const line = [process.execPath, program(), ...words].map((word) => `'${word}'`).join(' ')
    const child = spawn(script, ['-qec', line, '/dev/null'], {
      cwd: folder,
      env: { PATH: process.env['PATH'], HOME: folder, TERM: 'xterm-256color', ...env },
    })
    // It may have ended before it has read.
    child.stdin.on('error', () => {})
    let output = ''
    child.stdout.on('data', (data) => {
      output += String(data)
      if (keys !== '' && output.includes('  end')) child.stdin.write(keys)
      if (output.includes('no message has come yet')) child.stdin.write('\u0003')
    })
    return new Promise((resolve) => void child.once('close', () => resolve(output)))
  }

  test('errors are red, unless NO_COLOR says otherwise', async () => {
    expect(await onTerminal(['status', 'x'], {})).toContain('\u001b[31merror\u001b[39m')
    expect(await onTerminal(['status', 'x'], { NO_COLOR: '1' })).not.toContain('\u001b')
  })

  test('keys are heard as they are pressed, and Ctrl-C ends the sandbox', async () => {
    expect(await onTerminal(['dev', '--port', '0'], {}, 'b')).toContain('no message has come yet')
  }, 60_000)

  test('long work has a bar', async () => {
    const correlator = createCorrelator({ store: sqliteStore(join(folder, 'mail.db')) })
    await correlator.find()
    await correlator.close()
    const rows = Array.from({ length: 5000 }, (_, index) => `${index}@example.com`)
    writeFileSync(join(folder, 'list.csv'), ['email', ...rows, ''].join('\n'))
    const output = await onTerminal(['suppressions', 'import', 'list.csv'], {
      MAILTRAIL_STORE: 'mail.db',
    })
    expect(output).toContain('━')
    expect(output).toContain('5000 entries were added, 0 could not be taken.')
  })
})
