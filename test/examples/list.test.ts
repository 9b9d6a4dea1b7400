import { describe, expect, test } from '@jest/globals'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { examplesFolder } from './running.js'

const readme = readFileSync(join(examplesFolder, 'README.md'), 'utf8')

/** The rows of its tables: the name of an example, its first file, and its test. */
const rows = readme.split('\n').flatMap((line) => {
  const [, name = '', file = '', , testFile = ''] =
    /^\| \[([\w-]+)\]\((\S+)\) +\| (.+?) +\| \[[^\]]+\]\((\S+)\) +\|$/.exec(line) ?? []
  return name === '' ? [] : [{ name, file, testFile }]
})

const manifest: { exports: object } = JSON.parse(
  readFileSync(join(examplesFolder, '..', 'package.json'), 'utf8'),
)
const publicNames = Object.keys(manifest.exports).map((entry) => join('mailtrail', entry))

const read = (path: string): string => readFileSync(resolve(examplesFolder, path), 'utf8')

test('README.md lists every example, and nothing else is in the folder', () => {
  const folders = readdirSync(examplesFolder).filter((name) => name !== 'README.md')
  expect(rows.map(({ name }) => name).toSorted()).toEqual(folders.toSorted())
})

describe.each(rows)('the example $name', ({ name, file, testFile }) => {
  const files = readdirSync(join(examplesFolder, name), { recursive: true, encoding: 'utf8' })
  const programs = files.filter((path) => /\.(?:ts|js|mjs)$/.test(path))

  test('has a test that is run, and begins with what it shows', () => {
    expect(testFile).toMatch(/\/test\/[\w/-]+\.(?:test|services)\.ts$/)
    expect(read(testFile)).toMatch(new RegExp(`['/]${name}['/]`))
    expect(file.startsWith(`${name}/`) && existsSync(join(examplesFolder, file))).toBe(true)
    const [head = ''] = /^(?:\/\/.*\n)+/.exec(read(file)) ?? []
    expect(head).toMatch(/(?:npm run|npx|node) \S/)
    // What is built when it is run is not there yet.
    const named = [...head.matchAll(/examples\/(?!\S*dist)([\w./-]+\w)/g)].map(
      ([, path = '']) => path,
    )
    for (const path of named)
      expect([path, existsSync(join(examplesFolder, path))]).toEqual([path, true])
  })

  test('imports mailtrail by its public names, and no file from outside of its folder', () => {
    const imports = programs.flatMap((path) =>
      [...read(join(name, path)).matchAll(/(?:from|import\(|import) ?'([^']+)'/g)].map(
        ([, from = '']) => (from.startsWith('.') ? resolve('/', path, '..', from) : from),
      ),
    )
    expect(imports.length).toBeGreaterThan(0)
    const own = files.map((path) => resolve('/', path.replace(/\.ts$/, '.js')))
    for (const from of imports) {
      if (from.startsWith('/')) expect(own).toContain(from)
      if (from.startsWith('mailtrail')) expect(publicNames).toContain(from)
    }
  })
})
