import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { loadConfiguration } from '../../src/cli/configuration.js'
import { newFolder, root, run } from './running.js'
import { kits } from './setup.js'

// Each command is a process that has to start.
jest.setTimeout(30_000)

let folder = ''
let remove = (): void => {}
beforeEach(() => {
  ;({ folder, remove } = newFolder())
})
afterEach(() => remove())

const write = (name: string, text: string): void => writeFileSync(join(folder, name), text)

test.each([
  ['mailtrail.config.js', "module.exports = { store: 'of-the-file.db' }"],
  ['mailtrail.config.mjs', "export default { store: 'of-the-file.db' }"],
  ['mailtrail.config.cjs', "module.exports = { store: 'of-the-file.db' }"],
  ['mailtrail.config.json', '{ "store": "of-the-file.db" }'],
])('%s is found in the working directory', async (name, text) => {
  write(name, text)
  const { code, stderr } = await run(['status', 'x'], { folder })
  expect([code, stderr]).toEqual([2, expect.stringContaining('of-the-file.db')])
})

test('the environment goes before the file', async () => {
  const mailgun = { apiKey: 'of the file', domain: 'file.example.com' }
  const file = { store: 'file.db', url: 'https://file.example.com', mailgun }
  write('mailtrail.config.json', JSON.stringify(file))
  const read = async (env: Record<string, string>) => {
    const configuration = await loadConfiguration({ env, cwd: folder })
    const { apiKey, domain } = configuration.settings(kits.mailgun)
    let store = ''
    try {
      configuration.store()
    } catch (error) {
      store = /(\w+)\.db/.exec(String(error))?.[1] ?? ''
    }
    return [store, configuration.url, apiKey, domain]
  }
  expect(await read({})).toEqual(['file', file.url, 'of the file', 'file.example.com'])
  expect(
    await read({
      MAILTRAIL_STORE: 'environment.db',
      MAILTRAIL_URL: 'https://environment.example.com',
      MAILGUN_API_KEY: 'of the environment',
    }),
  ).toEqual([
    'environment',
    'https://environment.example.com',
    'of the environment',
    'file.example.com',
  ])
})

describe('the store may be', () => {
  test.each([
    ['postgres://a@127.0.0.1:9/b', 'postgresStore cannot connect'],
    ['postgresql://a@127.0.0.1:9/b', 'postgresStore cannot connect'],
    ['mysql://a@127.0.0.1:9/b', 'mysqlStore cannot connect'],
  ])('a database by its URL: %s', async (url, told) => {
    const { code, stderr } = await run(['status', 'x'], { folder, env: { MAILTRAIL_STORE: url } })
    expect([code, stderr]).toEqual([1, expect.stringContaining(told)])
  })

  test('what a function of a store returns', async () => {
    const sqlite = pathToFileURL(join(root, 'dist/esm/stores/sqlite.js')).href
    write(
      'mailtrail.config.mjs',
      `import { sqliteStore } from '${sqlite}'\nexport default { store: sqliteStore(':memory:') }`,
    )
    const { code, stdout } = await run(['status', 'nobody@example.com'], { folder })
    expect([code, stdout]).toEqual([1, expect.stringContaining('nobody@example.com')])
  })
})
