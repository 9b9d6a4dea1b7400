import { describe, expect, test } from '@jest/globals'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

const source = join(dirname(__dirname), 'src')

interface File {
  /** Relative to src, with slashes. */
  path: string
  /** Without its comments. */
  code: string
  /** What it imports, as paths relative to src or names of packages; types included. */
  imports: string[]
}

const files: File[] = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => {
    const code = readFileSync(join(source, path), 'utf8')
      .replace(/\/\*[\s\S]*?\*\//g, '')
      .replace(/^\s*\/\/.*$/gm, '')
    const named = [...code.matchAll(/(?:from|import\(|declare module) ?'([^']+)'/g)]
    const imports = named.map(([, name = '']) =>
      name.startsWith('.')
        ? relative(source, join(source, dirname(path), name)).replace(/\.js$/, '.ts')
        : name,
    )
    return { path, code, imports }
  })

const providers = ['sendgrid', 'mailgun', 'mandrill']
/** The command line deals with all of them, and has them in one list. */
const listOfProviders = 'cli/providers.ts'
const inFolder = (folder: string) => (file: File) => file.path.startsWith(`${folder}/`)
const outside = (folder: string) => (file: File) => !inFolder(folder)(file)
const pathsOf = (found: File[]): string[] => found.map(({ path }) => path)

test('there are files to look at', () => {
  expect(files.length).toBeGreaterThan(40)
})

test('every provider has the same files', () => {
  const roles = ['index', 'request', 'signature', 'simulator', 'transport', 'webhook']
  for (const provider of providers) {
    const names = pathsOf(files.filter(inFolder(`providers/${provider}`)))
    expect(names).toEqual(
      expect.arrayContaining(roles.map((role) => `providers/${provider}/${role}.ts`)),
    )
  }
})

describe('no code', () => {
  test.each(providers)('outside its folder names the provider %s', (provider) => {
    const named = files
      .filter(outside(`providers/${provider}`))
      .filter(({ path }) => path !== listOfProviders)
      .filter(({ code }) => code.toLowerCase().includes(provider))
    expect(pathsOf(named)).toEqual([])
  })

  test('outside of transports loads an SDK', () => {
    const sdks = ['@sendgrid/mail', 'mailgun.js', '@mailchimp/mailchimp_transactional']
    const loading = files.filter(({ imports }) => imports.some((name) => sdks.includes(name)))
    expect(pathsOf(loading).toSorted()).toEqual(
      providers.map((provider) => `providers/${provider}/transport.ts`).toSorted(),
    )
  })

  test('outside of stores holds SQL', () => {
    const sql = files
      .filter(outside('stores'))
      .filter(({ code }) => /\b(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE)\b/.test(code))
    expect(pathsOf(sql)).toEqual([])
  })

  test('but the node handler, the caller of APIs, the testing servers and the command line knows node:http', () => {
    const http = files
      .filter(outside('testing'))
      .filter(outside('cli'))
      .filter(({ imports }) => imports.some((name) => /^node:https?$/.test(name)))
    expect(pathsOf(http).toSorted()).toEqual(['http-caller.ts', 'node-handler.ts'])
  })

  test('of an adapter imports its framework, which others need not have', () => {
    const importing = files
      .filter(inFolder('adapters'))
      .filter(({ imports }) => imports.some((name) => !/^node:|\.ts$/.test(name)))
    expect(pathsOf(importing)).toEqual([])
  })

  test('outside of its folder knows BullMQ', () => {
    const knowing = files.filter(outside('bullmq')).filter(({ code }) => /bullmq|redis/i.test(code))
    expect(pathsOf(knowing)).toEqual([])
  })

  test('of the core imports a provider or a store, but for the plain one in the face', () => {
    const core = files.filter(({ path }) => !path.includes('/') && path !== 'index.ts')
    const importing = core.filter(({ imports }) =>
      imports.some((name) => /^(?:adapters|bullmq|cli|providers|stores|testing)\//.test(name)),
    )
    expect(pathsOf(importing)).toEqual([])
  })
})

test('nothing imports the command line, nor but it and a provider imports what a provider is in whole', () => {
  const kits = /^providers\/\w+\/kit\.ts$/
  for (const { path, imports } of files.filter(outside('cli'))) {
    const found = imports.filter((name) => name.startsWith('cli/') || kits.test(name))
    expect([path, found]).toEqual([path, []])
  }
})

test('the contracts import only each other', () => {
  const contracts = ['message', 'event', 'provider', 'store', 'errors'].map((name) => `${name}.ts`)
  for (const { path, imports } of files.filter((file) => contracts.includes(file.path))) {
    expect([path, imports.filter((name) => !contracts.includes(name))]).toEqual([path, []])
  }
})

test('the entry of the package holds no logic', () => {
  const entry = files.find(({ path }) => path === 'index.ts')
  expect(entry?.code.replace(/export (?:type )?\{[^}]*\} from '[^']+'/g, '').trim()).toBe('')
})

describe('what is pure', () => {
  const roles = ['request', 'signature', 'simulator']
  const pure = [
    'ids.ts',
    'matching.ts',
    'status.ts',
    'timeline.ts',
    'payload.ts',
    'suppression.ts',
    'counting.ts',
    'counts.ts',
    'alarm-conditions.ts',
    'recipient-health.ts',
    ...providers.flatMap((provider) => roles.map((role) => `providers/${provider}/${role}.ts`)),
  ]

  test.each(pure)('%s reads no clock, no file, no network and no environment', (path) => {
    const file = files.find((candidate) => candidate.path === path)
    expect(file?.code).not.toMatch(/Date\.now\(|new Date\(\)|process\.|fetch\(|setTimeout/)
    const effects = file?.imports.filter((name) =>
      /^node:(?!buffer$|crypto$|url$)|^@sendgrid|^mailgun|^@mailchimp/.test(name),
    )
    expect(effects).toEqual([])
  })
})
