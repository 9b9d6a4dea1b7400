import { expect, jest, test } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { actions } from '../../src/cli/sandbox-providers.js'
import { newFolder, root, run } from './running.js'
import { kits } from './setup.js'

jest.setTimeout(30_000)

const manual = readFileSync(join(root, 'docs/cli.md'), 'utf8')

test('the manual has every command that there is', async () => {
  const { folder, remove } = newFolder()
  const { stdout } = await run([], { folder })
  remove()
  const [, list = ''] = /Commands:\n([^]*)\n {2}help /.exec(stdout) ?? []
  const commands = [...list.matchAll(/^ {2}(\w+)/gm)].map(([, name = '']) => name)
  expect(commands.length).toBeGreaterThan(10)
  for (const name of commands) expect(manual).toMatch(new RegExp(`^\\| \`${name}\\b`, 'm'))
})

test('the manual has every code of the doctor', () => {
  const source = readFileSync(join(root, 'src/provider-kit.ts'), 'utf8')
  const [, union = ''] = /export type FindingCode =([^]*?)\n\n/.exec(source) ?? []
  const codes = [...union.matchAll(/'([\w-]+)'/g)].map(([, code = '']) => code)
  expect(codes.length).toBeGreaterThan(20)
  for (const code of codes) expect(manual).toContain(`\`${code}\``)
})

test('the manual has every setting, by both its names', () => {
  for (const kit of Object.values(kits)) {
    for (const { name, variable } of kit.settings) {
      expect(manual).toContain(`\`${variable}\``)
      expect(manual).toMatch(new RegExp(`\`${kit.provider}: \\{[^}]*\\b${name}\\b`))
    }
  }
})

test('the help has every variable, for the manual is not installed', async () => {
  const { folder, remove } = newFolder()
  const { stdout } = await run([], { folder })
  remove()
  for (const kit of Object.values(kits)) {
    for (const { variable } of kit.settings) expect(stdout).toMatch(new RegExp(`\\b${variable}\\b`))
  }
})

test('the manual has the ports as they are', async () => {
  const { folder, remove } = newFolder()
  const portOf = async (command: string): Promise<number> => {
    const { stdout } = await run(['help', command], { folder })
    return Number(/--port <number> .*\(default: (\d+)\)/.exec(stdout)?.[1])
  }
  const [sandbox, dashboard] = [await portOf('dev'), await portOf('dashboard')]
  remove()
  expect(manual).toContain(`at the ports ${sandbox + 1} to ${sandbox + 3} (`)
  expect(manual).toContain(`a handler of its own at port ${sandbox}.`)
  expect(manual).toContain(`at \`http://127.0.0.1:${dashboard}/\``)
})

test('the manual has every key of the sandbox', () => {
  const [, sandbox = ''] = manual.split('\n## The sandbox\n')
  const [section = ''] = sandbox.split('\n## ')
  for (const { key } of actions) expect(section).toContain(`\`${key}\``)
})
