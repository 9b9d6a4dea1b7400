import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from './pages.js'

function look(folder: string) {
  const { stdout, status } = spawnSync(process.execPath, [join(__dirname, 'links.mjs'), folder], {
    encoding: 'utf8',
  })
  return { lines: stdout.trim().split('\n'), status }
}

test('every link of the pages leads somewhere', () => {
  const { lines, status } = look(root)
  expect(lines).toEqual([expect.stringMatching(/^\d{2,} links in \d{2,} pages, 0 lead nowhere$/)])
  expect(status).toBe(0)
})

const reference = '[none]: docs/not.md'

/** Links as they are written, and what is wrong with each. */
const cases: [string, string | undefined][] = [
  ['[a](docs/other.md)', undefined],
  ['[a](docs)', undefined],
  ['[a](docs/other.md#one--two)', undefined],
  ['[a](docs/other.md#code-and-a-link)', undefined],
  ['[a](docs/other.md#again-1)', undefined],
  ['[a](#here)', undefined],
  ['[a](https://example.com/x?y#z)', undefined],
  ['![a](docs/none.gif)', 'docs/none.gif: there is no such file'],
  ['<img src="docs/none.png">', 'docs/none.png: there is no such file'],
  ['<source srcset="docs/none.svg">', 'docs/none.svg: there is no such file'],
  ['[a](docs/none.md)', 'docs/none.md: there is no such file'],
  ['[a][none]', 'docs/not.md: there is no such file'],
  ['[a](docs/other.md#none)', 'docs/other.md#none: there is no such heading'],
  ['[a](docs/other.md#again-2)', 'docs/other.md#again-2: there is no such heading'],
  ['[a](#none)', '#none: there is no such heading'],
  ['[a](../secret.md)', '../secret.md: it leads out of the repository'],
  ['[a](http://example.com)', 'http://example.com: it is not https'],
  ['[a](https://)', 'https://: it is no URL'],
  ['`[a](docs/none.md)`', undefined],
]

const page = ['# Here', ...cases.map(([link]) => link), reference, ''].join('\n\n')
const lineOf = (link: string): number => page.slice(0, page.indexOf(link)).split('\n').length

let folder = ''
let looked: ReturnType<typeof look>

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mailtrail-links-'))
  mkdirSync(join(folder, 'docs'))
  const headings = '# One & two\n\n## `code` and [a link](../README.md)\n\n## Again\n\n## Again\n'
  writeFileSync(join(folder, 'docs/other.md'), headings)
  writeFileSync(join(folder, 'README.md'), page)
  looked = look(folder)
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

test.each(cases)('%s', (link, fault) => {
  const line = lineOf(link)
  const found = looked.lines.filter((each) => each.startsWith(`README.md:${line}: `))
  expect(found).toEqual(fault === undefined ? [] : [`README.md:${line}: ${fault}`])
})

test('whoever runs it sees that links lead nowhere', () => {
  const broken = cases.filter(([, fault]) => fault !== undefined)
  expect(looked.lines).toHaveLength(broken.length + 1)
  expect(looked.status).toBe(1)
})
