import { expect, test } from '@jest/globals'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pages, root } from './pages.js'

const [, section = ''] = (pages['README.md'] ?? '').split('\n## What it guarantees')
const [text = ''] = section.split('\n## ')
const guarantees = text.split('\n- **').slice(1)

/** The tests that a guarantee names: how the title of each goes on, and its file. */
const testsOf = (guarantee: string): [title: string, file: string][] =>
  [...guarantee.matchAll(/\[([^\]]+)\]\((test\/[^)]+)\)/g)].map(([, title = '', file = '']) => [
    title.replaceAll(/\s+/g, ' '),
    file,
  ])

test('the README has guarantees', () => expect(guarantees.length).toBeGreaterThan(7))

test.each(guarantees.map((guarantee) => [guarantee.split('**')[0] ?? '', guarantee] as const))(
  '%s has tests, which are there by those names',
  (_, guarantee) => {
    const named = testsOf(guarantee)
    expect(named.length).toBeGreaterThan(0)
    for (const [title, file] of named) {
      expect(existsSync(join(root, file))).toBe(true)
      const titles = [...readFileSync(join(root, file), 'utf8').matchAll(/(['"`])(.{10,}?)\1/g)]
      expect(titles.filter(([, , words = '']) => words.includes(title))).not.toEqual([])
    }
  },
)
