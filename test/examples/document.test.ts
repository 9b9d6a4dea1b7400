import { expect, test } from '@jest/globals'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const root = dirname(dirname(__dirname))
const example = join(root, 'examples/postmark')
const read = (path: string): string => readFileSync(path, 'utf8')

/** Line by line, for a block in the document begins where it likes. */
const lines = (code: string): string => `\n${code.replace(/^[ \t]+/gm, '')}`

const programs = [
  ...readdirSync(example).map((name) => join(example, name)),
  join(__dirname, 'postmark.test.ts'),
].map((path) => lines(read(path)))

const document = read(join(root, 'docs/providers.md'))
const blocks = [...document.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code = '']) => code)

test('the document shows the example', () => {
  expect(blocks.length).toBeGreaterThan(8)
})

test.each(blocks.map((block) => [block.trim().split('\n')[0] ?? '', block] as const))(
  'what the document says stands in the example: %s',
  (_, block) => {
    expect(programs.filter((program) => program.includes(lines(block)))).toHaveLength(1)
  },
)

test('the document names every member of a client', () => {
  const [, table = ''] = document.split('A `ProviderClient` has these')
  const named = [...table.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name)
  const [, type = ''] =
    /interface ProviderClient<Request> \{([\s\S]*?)^\}/m.exec(
      read(join(root, 'src/provider-client.ts')),
    ) ?? []
  const members = [...type.matchAll(/^ {2}(?:readonly )?(\w+)\??[:(]/gm)].map(([, name]) => name)
  expect(members.length).toBeGreaterThan(5)
  expect(named.toSorted()).toEqual(members.toSorted())
})
