import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, jest, test } from '@jest/globals'
import nodemailer from 'nodemailer'
import {
  ConfigurationError,
  KeySourceError,
  ListenerError,
  SendError,
  StoreError,
  WebhookError,
} from '../src/errors.js'
import {
  mailgunSimulator,
  mailgunTransport,
  mailgunWebhook,
} from '../src/providers/mailgun/index.js'
import { mandrillTransport, mandrillWebhook } from '../src/providers/mandrill/index.js'
import { sendgridTransport } from '../src/providers/sendgrid/index.js'
import { startProvider } from '../src/testing/index.js'
import { keysShownBy, lookAtErrors, seen } from './watch-secrets.js'

const root = join(__dirname, '..')

describe('an error that shows a key is found', () => {
  // No transport knows it, so that what is made here fails nothing by itself.
  const key = 'key-of-nobody-0123456789'
  const credentials = Buffer.from(`api:${key}`).toString('base64')
  const details = { category: 'auth', retryable: false, outcome: 'not-sent' } as const
  const caused = (cause: Error): SendError => new SendError('no', { ...details, cause })
  const having = (properties: object): SendError =>
    Object.assign(new SendError('no', details), properties)

  class Hidden {
    #apiKey = key
    toJSON = (): string => this.#apiKey
  }

  test.each<[string, Error]>([
    ['in its message', new SendError(`no such key: ${key}`, details)],
    ['as credentials', new SendError(`no: Basic ${credentials}`, details)],
    ['in the message of its cause', caused(new Error(`Bearer ${key}`))],
    ['in the cause of its cause', caused(new Error('no', { cause: new TypeError(key) }))],
    ['in a cause that is no error', new StoreError('writing', { config: { key } })],
    ['in a cause that is a text', new ListenerError('e-1', 1, true, key)],
    ['in a field of its cause', caused(Object.assign(new Error('no'), { config: { key } }))],
    ['in a field', having({ request: { headers: { authorization: key } } })],
    ['deep in a field', having({ a: { b: { c: { d: { e: [{ f: key }] } } } } })],
    ['in a name of a field', having({ [key]: true })],
    ['in a field that is not listed', Object.defineProperty(having({}), 'key', { value: key })],
    ['in a map', having({ headers: new Map([['authorization', key]]) })],
    ['in what JSON alone shows', caused(Object.assign(new Error('no'), { hidden: new Hidden() }))],
    ['in one of several', caused(new AggregateError([new Error('a'), new Error(key)], 'no'))],
    ['in its stack', having({ stack: `SendError: no\n    at ${key}` })],
    ['in a circle', caused(Object.assign(new Error('no'), { cause: having({ key }) }))],
    ['as the name of a webhook', new WebhookError(key, 'unsigned', 'no')],
    ['as what an option was', new ConfigurationError(`apiKey is ${key}`)],
    ['in what a source of keys threw', new KeySourceError('key', new Error(key))],
  ])('%s', (_, error) => {
    expect(keysShownBy(error, ['key-of-others-0123456789', key])).toEqual([key])
  })

  test('and one that does not is not', () => {
    const error = caused(new Error('no such key: key-of-nobody-012345678'))
    expect(keysShownBy(error, [key])).toEqual([])
  })

  test('but for keys that might be any word', () => {
    const error = new SendError('an API key, and no signing key', details)
    expect(keysShownBy(error, ['key', 'signing key'])).toEqual([])
  })
})

describe('while tests run', () => {
  const apiKey = 'key-of-secrets-test-0123456789'
  const domain = 'mg.example.com'
  const mail = { from: `shop@${domain}`, to: 'ann@example.org', subject: 'Order', text: 'Hello' }

  async function failingSend(): Promise<unknown> {
    const provider = await startProvider(mailgunSimulator({ apiKey: 'key-of-others', domain }))
    const transport = mailgunTransport({ apiKey, domain, baseUrl: provider.url, retries: 0 })
    const sending = nodemailer.createTransport(transport).sendMail(mail)
    return sending.catch((error: unknown) => error).finally(() => provider.close())
  }

  test('the error of a send is seen, and the key that it was sent with', async () => {
    const error = await failingSend()
    expect(error).toBeInstanceOf(SendError)
    expect(seen().errors).toContain(error)
    expect(seen().keys).toContain(apiKey)
    expect(seen().keys).not.toContain(domain)
  })

  test('every error is looked at once, and fails the test where it shows a key', async () => {
    await failingSend()
    expect(lookAtErrors).not.toThrow()
    expect(seen().errors).toEqual([])
    const details = { category: 'auth', retryable: false, outcome: 'not-sent' } as const
    const leaking = new SendError('no', { ...details, cause: new Error(`no such key: ${apiKey}`) })
    expect(seen().errors).toEqual([leaking])
    expect(lookAtErrors).toThrow(`SendError shows the key "${apiKey}": no`)
    expect(lookAtErrors).not.toThrow()
  })

  test.each<[string, (key: string) => unknown]>([
    ['sendgridTransport', (key) => sendgridTransport({ apiKey: key })],
    ['mailgunTransport', (key) => mailgunTransport({ apiKey: key, domain })],
    ['mandrillTransport', (key) => mandrillTransport({ apiKey: ` ${key}\n` })],
    ['mailgunWebhook', (key) => mailgunWebhook({ signingKey: [key, 'another'] })],
    ['mandrillWebhook', (key) => mandrillWebhook({ key, url: 'https://example.com/mandrill' })],
  ])('a key that is given to %s is known', (name, give) => {
    give(`key-for-${name}`)
    expect(seen().keys).toContain(`key-for-${name}`)
  })

  test('modules that a test loads for itself are watched, too', async () => {
    await jest.isolateModulesAsync(async () => {
      const { sendgridTransport: isolated } = await import('../src/providers/sendgrid/index.js')
      expect(() => isolated({ apiKey: 'SG.isolated with spaces' })).toThrow('apiKey is not one')
    })
    expect(seen().errors).toHaveLength(1)
    expect(seen().keys).toContain('SG.isolated with spaces')
  })

  test('errors are what they would be', () => {
    const error = new ConfigurationError('no')
    expect(Object.getPrototypeOf(ConfigurationError.prototype)).toBe(Error.prototype)
    expect(error.stack).toMatch(/^ConfigurationError: no\n\s+at .*secrets\.test\.ts/)
  })
})

test('the classes of errors beyond the watch are those that no caller gets', () => {
  const classes = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && path !== 'errors.ts')
    .flatMap((path) => [
      ...readFileSync(join(root, 'src', path), 'utf8').matchAll(/class (\w+) extends \w*Error\b/g),
    ])
    .map(([, name]) => name)
  // Both end as the detail of a refusal.
  expect(classes.toSorted()).toEqual(['FormError', 'TooManyPairsError'])
})

test('the watch is set before every file of tests', () => {
  const { jest: settings } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  expect(settings.setupFilesAfterEnv).toContain('<rootDir>/test/watch-secrets.ts')
})
