import { mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals'
import type { ProviderKit } from '../../src/provider-kit.js'
import { newFolder, run, type RunningCommand, start } from '../cli/running.js'
import { kits as kitsByName } from '../cli/setup.js'
import { blocks, readPage, section, spans, table } from './page.js'
import { install, type RunningProgram, runProgram } from './programs.js'

// Each of the programs is a process that has to start.
jest.setTimeout(90_000)

const kits: ProviderKit[] = Object.values(kitsByName)
const pageOf = ({ provider }: ProviderKit): string => readPage(`getting-started-${provider}.md`)

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('it has no port')
  return address.port
}

describe('whoever follows the page', () => {
  const { folder, remove } = newFolder()
  let port: number
  let sandbox: RunningCommand
  let exported: Record<string, string>
  let app: RunningProgram | undefined

  beforeAll(async () => {
    port = await freePort()
    sandbox = start(['dev', '--port', '0', '--to', `http://localhost:${port}/webhooks`], { folder })
    await sandbox.wrote(/ {2}q {2}end\n/)
    const lines = [...sandbox.stdout().matchAll(/^ {4}export (\w+)='([^']*)'$/gm)]
    exported = Object.fromEntries(lines.map(([, name = '', value = '']) => [name, value]))
  })

  afterEach(() => app?.stop())

  afterAll(async () => {
    sandbox.signal('SIGKILL')
    await sandbox.ended
    remove()
  })

  test.each(kits)('of $title sees a message delivered on this machine', async (kit) => {
    const page = pageOf(kit)
    const [installing = '', dev = ''] = blocks(page, 'sh')
    expect(dev.trim()).toBe('npx mailtrail dev --to http://localhost:3000/webhooks')
    const [npm, verb, ...packages] = installing.trim().split(' ')
    expect([npm, verb]).toEqual(['npm', 'install'])
    const own = join(folder, kit.provider)
    mkdirSync(own)
    install(own, packages)
    const env = { ...exported, HOME: folder, PORT: String(port) }

    const [program = ''] = blocks(page, 'ts')
    const [shown = ''] = blocks(page, 'text')
    const expected = shown.trim().split('\n')
    app = runProgram(own, program, env)
    const lines = await app.wrote(expected.length)
    const withoutId = (line: string): string => line.replace(/[\da-f-]{36}$/, '<id>')
    // The events may come ahead of what the program says of its own.
    for (const isOfEvent of [true, false]) {
      const those = (all: readonly string[]): string[] =>
        all.filter((line) => line.endsWith(' ann@example.com') === isOfEvent).map(withoutId)
      expect(those(lines)).toEqual(those(expected))
    }

    sandbox.write('o')
    expect((await app.wrote(expected.length + 1)).at(-1)).toBe('opened ann@example.com')

    const status = await run(['status', 'ann@example.com'], {
      folder: own,
      env: { ...env, MAILTRAIL_STORE: 'mailtrail.db' },
    })
    expect(status).toMatchObject({ code: 0, stdout: expect.stringContaining('delivered') })

    const doctor = await run(['doctor', kit.provider], {
      folder: own,
      env: { ...env, MAILTRAIL_URL: `http://localhost:${port}/webhooks` },
    })
    expect(doctor.stdout).toContain(/^prints `(.*?)`/m.exec(page)?.[1])
    expect(doctor.code).toBe(0)
  })
})

describe.each(kits)('the page of $title', (kit) => {
  const page = pageOf(kit)
  const steps = section(page, `At ${kit.title}`)

  test('names the events without which nothing is known', () => {
    const [, needed = ''] =
      /it is not known what became of a message:\s+([^.]*)\./.exec(steps) ?? []
    expect(spans(needed)).toEqual(kit.neededEvents)
  })

  test('has the settings of the provider', () => {
    const variables = table(steps, 'variable').flatMap(([name = '']) => spans(name))
    const known = kit.settings.map(({ variable }) => variable)
    const required = known.filter((name) => !/PRIVATE_KEY$|_URL$/.test(name))
    expect(variables).toEqual(expect.arrayContaining(required))
    expect(known).toEqual(expect.arrayContaining(variables))
  })
})
