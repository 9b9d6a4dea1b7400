import { describe, expect, test } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { mailMatchers } from '../../src/testing/index.js'
import * as testing from '../../src/testing/scripts.js'
import { pages, root } from './pages.js'

const read = (path: string): string => readFileSync(join(root, path), 'utf8')

/** The texts that a declaration of a source file has between its quotes. */
function textsIn(path: string, begin: RegExp, end: RegExp): string[] {
  const [, ...rest] = read(path).split(begin)
  const [declaration = ''] = rest.join('').split(end)
  return [...declaration.matchAll(/'([^']+)'/g)].map(([, text = '']) => text)
}

const union = (path: string, name: string): string[] =>
  textsIn(path, new RegExp(`export type ${name} =`), /\n\n/)

/** The fields of an interface of a source file. */
function fieldsOf(path: string, name: string): string[] {
  const [, text = ''] = read(path).split(`export interface ${name} {\n`)
  const [body = ''] = text.split('\n}')
  return [...body.matchAll(/^ {2}(\w+)\??:/gm)].map(([, field = '']) => field)
}

/** What a page is to have, each in a code span of its own or at its beginning. */
const lists: [page: string, what: string, names: string[]][] = [
  ['docs/webhooks.md', 'reason of a refusal', union('src/errors.ts', 'RefusalReason')],
  ['docs/sending.md', 'category of an error', union('src/errors.ts', 'SendErrorCategory')],
  [
    'docs/sending.md',
    'code of an error',
    textsIn('src/errors.ts', /const sendErrorCodes = \{/, /\n\}/).filter((text) =>
      text.startsWith('E'),
    ),
  ],
  [
    'docs/asking.md',
    'alarm',
    [...read('src/alarms.ts').matchAll(/^ {2}kind: '(.+)'$/gm)].map(([, kind = '']) => kind),
  ],
  [
    'docs/asking.md',
    'tag of a critical message',
    textsIn('src/alarm-conditions.ts', /const defaultTags =/, /\n/),
  ],
  [
    'docs/sending.md',
    'option of a transport',
    fieldsOf('src/transport-options.ts', 'TransportOptions'),
  ],
  [
    'docs/webhooks.md',
    'option of a correlator',
    fieldsOf('src/correlator-options.ts', 'CorrelatorOptions'),
  ],
  [
    'docs/asking.md',
    'option of alarms',
    fieldsOf('src/alarm-conditions.ts', 'AlarmOptions').concat(
      fieldsOf('src/alarm-conditions.ts', 'FailureCondition'),
      fieldsOf('src/alarm-conditions.ts', 'SilenceCondition'),
    ),
  ],
  ['docs/testing.md', 'matcher', Object.keys(mailMatchers)],
  ['docs/testing.md', 'script', Object.keys(testing)],
]

test.each(lists)('%s has every %s', (page, _, names) => {
  expect(names.length).toBeGreaterThan(2)
  const spans = new Set(
    [...(pages[page] ?? '').matchAll(/`([\w-]+)[^`]*`/g)].map(([, name = '']) => name),
  )
  expect(names.filter((name) => !spans.has(name))).toEqual([])
})

describe('the pages', () => {
  test('are all to be found from the README', () => {
    const linked = [...(pages['README.md'] ?? '').matchAll(/\((docs\/[\w-]+\.md)\)/g)]
    const found = new Set(linked.map(([, path = '']) => path))
    const all = Object.keys(pages).filter((path) => path.startsWith('docs/'))
    expect(all.filter((path) => !found.has(path))).toEqual([])
  })

  test('have the same figures in the README as in the bench', () => {
    const [, section = ''] = (pages['README.md'] ?? '').split('\n## How fast it is\n')
    const [text = ''] = section.split('\n## ')
    const figures = [...text.matchAll(/\d+(?:,\d{3})?(?: to \d+(?:,\d{3})?)?(?= *\|$| MB)/gm)]
    expect(figures.length).toBeGreaterThan(4)
    const bench = pages['bench/README.md'] ?? ''
    expect(figures.map(([figure]) => figure).filter((each) => !bench.includes(each))).toEqual([])
  })

  test('name what a store of one’s own takes along as memory.ts imports it, and a wrapper as hashedAddresses does', () => {
    const named = (sentence: RegExp): string[] => {
      const [, files = ''] = sentence.exec(pages['docs/stores.md'] ?? '') ?? []
      return [...files.matchAll(/`src\/([\w-]+)\.ts`/g)].map(([, file = '']) => file)
    }
    const shared = named(/`memory\.ts` imports it from([^.]*(?:\.ts[^.]*)+?), and stores of SQL/)
    const imported = (path: string): string[] =>
      [...read(path).matchAll(/^(?:import|}).* from '\.{1,2}\/([\w-]+)\.js'$/gm)].map(
        ([, file = '']) => file,
      )
    expect(shared).toHaveLength(5)
    expect(imported('src/stores/memory.ts')).toEqual(expect.arrayContaining(shared))
    const taken = imported('src/hashed-addresses.ts').filter((file) => shared.includes(file))
    expect(taken.toSorted()).toEqual(['forgetting', 'matching'])
  })

  test('name every entry of the package', () => {
    const { exports } = JSON.parse(read('package.json'))
    const entries = Object.keys(exports).flatMap((path) =>
      path === '.' || path === './package.json' ? [] : [path.replace('.', 'mailtrail')],
    )
    const text = Object.values(pages).join('\n')
    expect(entries.length).toBeGreaterThan(10)
    expect(
      entries.filter((entry) => !text.includes(`${entry}'`) && !text.includes(`${entry}\``)),
    ).toEqual([])
  })
})
