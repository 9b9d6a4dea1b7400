import { expect, test } from '@jest/globals'
import { Command } from 'commander'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { addCommands } from '../../src/cli/command-list.js'
import { blocksOf, pages, root } from './pages.js'

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const packages = [
  'mailtrail',
  ...Object.keys(manifest.peerDependencies),
  ...Object.keys(manifest.devDependencies),
]

/** What is not ours, and not looked into. */
const foreign = [
  'cp',
  'curl',
  'sqlite3',
  'pg_dump',
  'pg_restore',
  'mysqldump',
  'mysql',
  'git',
  'cd',
]

/** The lines of all blocks, and the commands that sentences name. */
const lines = Object.entries(pages).flatMap(([page, text]) => [
  ...blocksOf(text)
    .filter(({ language }) => language === 'sh')
    .flatMap(({ code }) => code.replaceAll('\\\n', ' ').split('\n'))
    .map((line): [string, string] => [page, line.replace(/(^| )#.*$/, '')]),
  ...[...text.matchAll(/`((?:\w+=\S+ )*(?:npm run|npx mailtrail|mailtrail|node) [^`\n<]+)`/g)].map(
    ([, line = '']): [string, string] => [page, line],
  ),
])

/** Each command of a line, as words, without the variables that are set for it. */
const commandsIn = (line: string): string[][] =>
  line
    .split(/&&|;|\|/)
    .map((command) => command.trim().split(/\s+/))
    .map((words) => words.slice(words.findIndex((word) => !/^\w+=/.test(word))))
    .filter(([first = '']) => first !== '')

/** Parses a command line as the program does, and does nothing. */
function parse(words: string[]): void {
  const program = new Command('mailtrail').option('-c, --config <file>').helpCommand(true)
  addCommands(program, unused, () => {})
  const all = [program, ...program.commands, ...program.commands.flatMap((each) => each.commands)]
  for (const each of all) {
    each.exitOverride().configureOutput({ writeErr: () => {}, writeOut: () => {} })
    if (each.commands.length === 0) each.action(() => {})
  }
  program.parse(words, { from: 'user' })
}

/** Nothing is run, so nothing of it is asked for. */
const unused: Parameters<typeof addCommands>[1] = new Proxy(Object.create(null), {
  get: () => {
    throw new Error('a command was run')
  },
})

/** What is wrong with a command, if anything is. */
function faultOf(page: string, words: string[]): string | undefined {
  const [program = '', ...rest] = words
  const [name = '', ...more] = rest
  if (program === 'mailtrail') return parseFault(rest)
  if (program === 'npx' && name === 'mailtrail') return parseFault(more)
  if (program === 'npx' && packages.includes(name)) return undefined
  if (program === 'node') return isFile(page, name) ? undefined : 'there is no such file'
  if (program === 'npm') return npmFault(name, more)
  return foreign.includes(program) ? undefined : 'there is no such program'
}

/** Of this repository, or one that the reader makes of what the page has for it. */
const isFile = (page: string, name: string): boolean =>
  existsSync(join(root, name)) || (pages[page] ?? '').split('\n').includes(`// ${name}`)

function parseFault(words: string[]): string | undefined {
  try {
    if (words.length > 0) parse(words)
    return undefined
  } catch (error) {
    return String(error)
  }
}

function npmFault(name: string, rest: string[]): string | undefined {
  switch (name) {
    case 'ci':
    case 'test':
    case 'uninstall':
      return undefined
    case 'install': {
      const unknown = rest.filter((each) => !each.startsWith('-') && !packages.includes(each))
      return unknown.length === 0 ? undefined : `unknown packages: ${unknown.join(', ')}`
    }
    case 'run': {
      const [script = '', , ...options] = rest
      const command: string | undefined = manifest.scripts[script]
      if (command === undefined) return 'there is no such script'
      const program = /(\S+\.mjs)$/.exec(command)?.[1]
      const source = program === undefined ? command : readFileSync(join(root, program), 'utf8')
      const unknown = options.filter(
        (each) => each.startsWith('--') && !source.includes(each.slice(2)),
      )
      return unknown.length === 0 ? undefined : `unknown options: ${unknown.join(', ')}`
    }
    default:
      return 'unknown to npm'
  }
}

const faults = ([page, line]: [string, string]): string[] =>
  commandsIn(line).flatMap((words) => {
    const fault = faultOf(page, words)
    return fault === undefined ? [] : [`${page}: ${words.join(' ')}: ${fault}`]
  })

test('every command of the pages exists, with its options', () => {
  expect(lines.length).toBeGreaterThan(40)
  expect(lines.flatMap(faults)).toEqual([])
})

test.each([
  'npm run no-such-script',
  'npm run bench -- --no-such-option',
  'npm install no-such-package',
  'node no/such/file.mjs',
  'no-such-program',
  'npx mailtrail no-such-command',
  'npx mailtrail prune --no-such-option 90d',
  'npx mailtrail trigger mailgun',
  'npx mailtrail backfill mailgun',
  'npm ci && A=1 npx mailtrail suppressions no-such-command',
])('a fault is found: %s', (line) => {
  expect(faults(['a.md', line])).toHaveLength(1)
})

test('every file of this repository that a page names in words is there', () => {
  const named = Object.entries(pages).flatMap(([page, text]) =>
    [...text.matchAll(/`((?:src|test|docs|examples|bench)\/[\w./-]+)`/g)].map(([, path = '']) => [
      page,
      path,
    ]),
  )
  expect(named.length).toBeGreaterThan(3)
  expect(named.filter(([, path = '']) => !existsSync(join(root, path)))).toEqual([])
})

test('every file of a provider that CONTRIBUTING.md says to look into is there', () => {
  const [, section = ''] = (pages['CONTRIBUTING.md'] ?? '').split('## Where things are')
  const [where = ''] = section.split('\n## ')
  const named = [...where.matchAll(/`([\w-]+\.ts)`/g)].map(([, file = '']) => file)
  expect(named.length).toBeGreaterThan(3)
  const missing = named.filter((file) => !existsSync(join(root, 'src/providers/mailgun', file)))
  expect(missing).toEqual([])
})
