import { expect, jest, test } from '@jest/globals'
import { compile, compiledBlocks } from './compiling.js'
import { blocksOf, pages } from './pages.js'

jest.setTimeout(60_000)

/** What is not compiled, and why. */
const excused: Record<string, (text: string) => string> = {
  // Excerpts of an example, in which test/examples looks for them; the example is compiled.
  'docs/providers.md': () => '',
  // JavaScript there is what the reader has now, with packages that are not installed here.
  'docs/moving.md': (text) => text.replaceAll('```js\n', '```text\n'),
}

const compiled = Object.fromEntries(
  Object.entries(pages).map(([page, text]) => [page, excused[page]?.(text) ?? text]),
)

test('every block of code compiles', () => {
  expect(Object.values(compiled).flatMap(compiledBlocks).length).toBeGreaterThan(45)
  expect(compile('code-blocks', compiled, ['README.md'])).toBe('')
})

const page = `# A page

\`\`\`ts
import { memoryStore } from 'mailtrail'

const store = memoryStore()
\`\`\`

- In a list:

  \`\`\`ts
  correlator.on('bouncd', () => {})
  store.close()
  \`\`\`

\`\`\`js
memoryStore().clos()
\`\`\`
`

test('a fault is named by its page and line, and a block sees those before it and the prelude', () => {
  const faults = compile('faulty-blocks', { 'docs/a.md': page })
  const places = faults.split('\n').filter((line) => line.startsWith('docs'))
  expect(places).toEqual([
    expect.stringMatching(/^docs-a\.md\.12\.ts\(12,15\): error TS2769: /),
    expect.stringMatching(/^docs-a\.md\.17\.js\(17,15\): error TS2551: /),
  ])
})

test('a page that stands by itself sees no prelude', () => {
  const text = '# A page\n\n```ts\ncorrelator.drain()\n```\n'
  expect(compile('lonely-blocks', { 'a.md': text }, ['a.md'])).toMatch(/^a\.md\.4\.ts\(4,1\): /)
})

test('every block of JSON can be read', () => {
  const blocks = Object.values(pages).flatMap(blocksOf)
  for (const { code } of blocks.filter(({ language }) => language === 'json')) JSON.parse(code)
})

test('a block is of a language that is looked at', () => {
  const languages = new Set(
    Object.values(pages)
      .flatMap(blocksOf)
      .map((each) => each.language),
  )
  expect(
    [...languages].filter((name) => !['ts', 'js', 'sh', 'json', 'text', 'sql'].includes(name)),
  ).toEqual([])
})
