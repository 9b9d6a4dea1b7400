import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { version } from '../src/version.js'

const root = dirname(__dirname)
const manifest: {
  version: string
  dependencies: Record<string, string>
  exports: Record<string, string | { import: Conditions; require: Conditions }>
} = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

interface Conditions {
  types: string
  default: string
}

const entries = Object.keys(manifest.exports)
  .filter((entry) => entry !== './package.json')
  .map((entry) => join('mailtrail', entry))

/** Runs a program with the package, as built, in a project that has these packages and no other. */
function run(folder: string, file: string, program: string): string {
  writeFileSync(join(folder, file), program)
  return execFileSync(process.execPath, [file], { cwd: folder, encoding: 'utf8', env: {} }).trim()
}

/** These packages and those that they depend on. */
function withDependencies(names: readonly string[]): Set<string> {
  const all = new Set<string>()
  const add = (name: string): void => {
    if (all.has(name)) return
    all.add(name)
    const { dependencies = {} }: { dependencies?: Record<string, string> } = JSON.parse(
      readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8'),
    )
    for (const dependency of Object.keys(dependencies)) add(dependency)
  }
  for (const name of names) add(name)
  return all
}

let project = ''

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'mailtrail project '))
  for (const part of ['dist/esm', 'dist/cjs', 'package.json']) {
    cpSync(join(root, part), join(project, 'node_modules/mailtrail', part), { recursive: true })
  }
  for (const name of withDependencies(['nodemailer', ...Object.keys(manifest.dependencies)])) {
    cpSync(join(root, 'node_modules', name), join(project, 'node_modules', name), {
      recursive: true,
    })
  }
})
afterAll(() => rmSync(project, { recursive: true, force: true }))

test('the version that transports tell is that of the package', () => {
  expect(version).toBe(manifest.version)
})

test.each(Object.entries(manifest.exports))('%s points to files that are there', (_, target) => {
  const paths =
    typeof target === 'string'
      ? [target]
      : [target.import, target.require].flatMap((conditions) => Object.values(conditions))
  for (const path of paths) expect([path, existsSync(join(root, path))]).toEqual([path, true])
})

describe('in a project without any SDK', () => {
  const names = JSON.stringify(entries)

  test('every entry can be imported', () => {
    const program = `
      for (const name of ${names}) console.log(name, Object.keys(await import(name)).length > 0)`
    expect(run(project, 'all.mjs', program)).toBe(entries.map((name) => `${name} true`).join('\n'))
  })

  test('every entry can be required', () => {
    const program = `
      for (const name of ${names}) console.log(name, Object.keys(require(name)).length > 0)`
    expect(run(project, 'all.cjs', program)).toBe(entries.map((name) => `${name} true`).join('\n'))
  })

  test.each([
    ['sendgridTransport', 'mailtrail/sendgrid', '@sendgrid/mail'],
    ['mailgunTransport', 'mailtrail/mailgun', 'mailgun.js'],
    ['mandrillTransport', 'mailtrail/mandrill', '@mailchimp/mailchimp_transactional'],
  ])('%s says what to install, in both module systems', (transport, entry, sdk) => {
    const send = `
      const transporter = nodemailer.createTransport(${transport}({ apiKey: 'x', domain: 'a.b' }))
      transporter.sendMail({ from: 'a@b.c', to: 'd@e.f', subject: 'x', text: 'x' }).catch(
        ({ name, category, outcome, message }) => console.log(name, category, outcome, message))`
    const expected = `SendError configuration not-sent the package ${sdk} is not installed: npm install ${sdk}`
    const imports = `import nodemailer from 'nodemailer'; import { ${transport} } from '${entry}';`
    const requires = `const nodemailer = require('nodemailer'); const { ${transport} } = require('${entry}');`
    expect(run(project, 'send.mjs', imports + send)).toBe(expected)
    expect(run(project, 'send.cjs', requires + send)).toBe(expected)
  })

  test('a webhook needs none', () => {
    const program = `
      import { createCorrelator, memoryStore } from 'mailtrail'
      import { mailgunWebhook } from 'mailtrail/mailgun'
      const webhooks = [mailgunWebhook({ signingKey: 'x' })]
      const correlator = createCorrelator({ store: memoryStore(), webhooks })
      const { status } = await correlator.handler(new Request('https://a.b/mailgun'))
      console.log(status)`
    expect(run(project, 'webhook.mjs', program)).toBe('200')
  })

  test('the command line runs, and says what to install where it sends', () => {
    const bin = 'node_modules/mailtrail/dist/esm/cli/bin.js'
    const { stdout, stderr, status } = spawnSync(process.execPath, [bin, 'verify', '--sandbox'], {
      cwd: project,
      encoding: 'utf8',
      env: {},
    })
    expect([stderr, status]).toEqual(['', 1])
    for (const sdk of ['@sendgrid/mail', 'mailgun.js', '@mailchimp/mailchimp_transactional']) {
      expect(stdout).toContain(`not-sent: the package ${sdk} is not installed: npm install ${sdk}`)
    }
  })

  test('the SQLite store uses that of Node, or says what to install', () => {
    const program = `
      import { sqliteStore } from 'mailtrail/sqlite'
      const store = sqliteStore(':memory:')
      store.open().then(() => console.log('open'), (error) => console.log(error.name, error.message))`
    const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
    const builtIn = major > 22 || (major === 22 && minor >= 13)
    const missing =
      'ConfigurationError sqliteStore needs Node 22.13 or later, or the package @photostructure/sqlite: npm install @photostructure/sqlite'
    expect(run(project, 'sqlite.mjs', program)).toBe(builtIn ? 'open' : missing)
  })

  test.each([
    ['postgresStore', 'mailtrail/postgres', 'postgres://127.0.0.1:1/x', 'pg'],
    ['mysqlStore', 'mailtrail/mysql', 'mysql://127.0.0.1:1/x', 'mysql2'],
  ])('%s says what to install, in both module systems', (factory, entry, url, driver) => {
    const open = `
      ${factory}('${url}').open().catch(({ name, message }) => console.log(name, message))`
    const expected = `ConfigurationError ${factory} needs the package ${driver}: npm install ${driver}`
    const imports = `import { ${factory} } from '${entry}';`
    const requires = `const { ${factory} } = require('${entry}');`
    expect(run(project, 'store.mjs', imports + open)).toBe(expected)
    expect(run(project, 'store.cjs', requires + open)).toBe(expected)
  })
})

test('importing one provider loads no SDK at all', () => {
  const program = `
    const before = Object.keys(require.cache).length
    for (const name of ${JSON.stringify(entries)}) require(name)
    const loaded = Object.keys(require.cache).slice(before)
    console.log(loaded.filter((path) => /@sendgrid|mailgun\\.js|@mailchimp|node_modules.(?:axios|bullmq|pg|mysql2|prom-client|@opentelemetry)/.test(path)).length)`
  writeFileSync(join(root, 'dist', 'loaded.cjs'), program)
  const output = execFileSync(process.execPath, [join(root, 'dist', 'loaded.cjs')], {
    encoding: 'utf8',
  })
  expect(output.trim()).toBe('0')
})
