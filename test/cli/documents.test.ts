import { expect, jest, test } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
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
