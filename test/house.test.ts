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

  test('outside of observers knows OpenTelemetry or Prometheus', () => {
    const knowing = files
      .filter(outside('observers'))
      .filter(({ imports }) => imports.some((name) => /opentelemetry|prom-client/.test(name)))
    expect(pathsOf(knowing)).toEqual([])
  })

  test('of the dashboard knows a store: it asks what everybody may ask', () => {
    const knowing = files
      .filter(inFolder('dashboard'))
      .filter(({ imports }) =>
        imports.some((name) => name.startsWith('stores/') || name === 'in-store.ts'),
      )
    expect(pathsOf(knowing)).toEqual([])
  })

  test('of the core imports a provider or a store, but for the plain one in the face', () => {
    const core = files.filter(({ path }) => !path.includes('/') && path !== 'index.ts')
    const importing = core.filter(({ imports }) =>
      imports.some((name) =>
        /^(?:adapters|bullmq|cli|dashboard|observers|providers|stores|testing)\//.test(name),
      ),
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
  const names = ['message', 'event', 'provider', 'store', 'observer', 'errors']
  const contracts = names.map((name) => `${name}.ts`)
  for (const { path, imports } of files.filter((file) => contracts.includes(file.path))) {
    expect([path, imports.filter((name) => !contracts.includes(name))]).toEqual([path, []])
  }
})

test.each(['index.ts', 'provider-face.ts'])(
  '%s, an entry of the package, holds no logic',
  (path) => {
    const entry = files.find((file) => file.path === path)
    expect(entry?.code.replace(/export (?:type )?\{[^}]*\} from '[^']+'/g, '').trim()).toBe('')
  },
)

describe('a built-in provider', () => {
  const exported = /export (?:type )?\{([^}]*)\} from/g
  const importedFromCore = /import (?:type )?\{([^}]*)\} from '\.\.\/\.\.\//g
  const faces = ['index.ts', 'provider-face.ts', 'testing/index.ts']
  const offered = new Set(
    files.filter(({ path }) => faces.includes(path)).flatMap(({ code }) => namesIn(code, exported)),
  )

  /** What a provider from outside cannot have yet, and how it goes without. */
  const internal: Record<string, string[]> = {
    'it imports its SDK itself': ['sdkLoader'],
    'it makes a mail, an event of the type inbound, by itself': [
      'checkedInbound',
      'decodeText',
      'eventOrUnknown',
      'Form',
      'FormError',
      'FormFile',
      'inboundEvent',
      'isForm',
      'MailPart',
      'MimeMail',
      'readForm',
      'readHead',
      'readMime',
      'ReceivedMail',
      'RemotePart',
    ],
    'it composes a document for its MIME route by itself': [
      'headOf',
      'MimeTree',
      'nodesOf',
      'providerWrites',
      'readHeaders',
      'withHeaders',
    ],
    'it has a form parsed by another package': ['urlEncodedPairs'],
    'its webhook is all there is to verify a request with': [
      'keysAtHand',
      'neverThrows',
      'toWebhookRequest',
    ],
    'its history tells of failures in its own words': ['connectionCause'],
    'it has checks of its own': [
      'checkedBytes',
      'checkedGuards',
      'checkedMetadata',
      'checkedTransportOptions',
    ],
    'the command line does not know it': [
      'AccountError',
      'AccountCaller',
      'accountCaller',
      'endedInspection',
      'Finding',
      'otherAnswer',
      'ProviderAccount',
      'ProviderKit',
      'ProviderSettings',
    ],
    'it has words of its own for these': ['ApiKeyError', 'messageOf', 'version'],
  }

  test.each(providers)('%s is made of what is public, but for what is listed here', (provider) => {
    const used = files
      .filter(inFolder(`providers/${provider}`))
      .flatMap(({ code }) => namesIn(code, importedFromCore))
    const listed = Object.values(internal).flat()
    expect(used.length).toBeGreaterThan(20)
    expect(used.filter((name) => !offered.has(name) && !listed.includes(name))).toEqual([])
  })

  test('needs each of those, and none of them is public', () => {
    const used = files
      .filter(inFolder('providers'))
      .flatMap(({ code }) => namesIn(code, importedFromCore))
    const listed = Object.values(internal).flat()
    expect(listed.filter((name) => !used.includes(name) || offered.has(name))).toEqual([])
  })
})

/** The names in the clauses of a kind, such as `import { a, type b } from`. */
function namesIn(code: string, clauses: RegExp): string[] {
  return [...code.matchAll(clauses)].flatMap(([, list = '']) =>
    list.split(',').flatMap((name) => name.trim().replace(/^type /, '') || []),
  )
}

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
    'observers/measures.ts',
    'observers/spans.ts',
    'testing/scripts.ts',
    ...['advice', 'html', 'links', 'message-query', 'table'].map((name) => `dashboard/${name}.ts`),
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
