import { afterEach, describe, expect, test } from '@jest/globals'
import { querySecret } from '../../../src/index.js'
import {
  mandrillWebhook,
  type MandrillWebhookOptions,
} from '../../../src/providers/mandrill/index.js'
import { denylistEvent, key, otherKey, sendEvent, trialPost, url } from './vectors.js'
import { entry, formOf, read, receivedAt, requestOf, signedRequest } from './webhook-requests.js'

const variables = ['MANDRILL_WEBHOOK_KEY', 'MANDRILL_WEBHOOK_URL']
afterEach(() => {
  for (const variable of variables) delete process.env[variable]
})

const configurationError = (message: RegExp): unknown =>
  expect.objectContaining({ code: 'ECONFIG', message: expect.stringMatching(message) })

describe('a webhook', () => {
  test('is named after its provider, takes large mail, and answers as Mandrill needs it', () => {
    expect(mandrillWebhook({ key, url })).toMatchObject({
      provider: 'mandrill',
      name: 'mandrill',
      guards: [],
      maxBodyBytes: 64 * 1024 * 1024,
      // Any status but 200 brings a batch again.
      answers: { stored: 200, tried: 200, forged: 403, malformed: 400, unavailable: 503 },
    })
  })

  test('may have another name, guards, answers and a limit of its own', () => {
    const guards = [querySecret('hush')]
    const options = { key, url, name: 'shop', guards, answers: { forged: 401 }, maxBodyBytes: 1000 }
    expect(mandrillWebhook(options)).toMatchObject({
      provider: 'mandrill',
      name: 'shop',
      guards,
      answers: { stored: 200, forged: 401 },
      maxBodyBytes: 1000,
    })
  })

  test.each<[string, object, RegExp]>([
    ['guards that are none', { guards: ['hush'] }, /mandrillWebhook: guards must be a list/],
    ['an answer that is no status', { answers: { stored: 99 } }, /must be an HTTP status/],
    ['an answer to nothing', { answers: { saved: 200 } }, /no answer is named "saved"/],
    ['a limit that is none', { maxBodyBytes: 0 }, /maxBodyBytes must be/],
    [
      'a folder in place of a function',
      { inbound: { attachments: '/tmp' } },
      /attachments must be/,
    ],
    ['no URL in a list', { url: [] }, /url is missing: give the URL exactly/],
    ['an empty URL in a list', { url: [url, ''] }, /url is no http or https URL/],
    ['a number for a URL', { url: 5 }, /url is missing/],
    ['a scheme without a host', { url: 'https:///mandrill' }, /url is no http or https URL/],
  ])('does not start with %s', (_, wrong, message) => {
    const options = Object.assign({ key, url }, wrong)
    expect(() => mandrillWebhook(options)).toThrow(configurationError(message))
  })
})

describe('the environment', () => {
  test('has the key and the URL where none is passed', async () => {
    process.env['MANDRILL_WEBHOOK_KEY'] = ` ${key}\n`
    process.env['MANDRILL_WEBHOOK_URL'] = ` ${url}\n`
    const webhook = mandrillWebhook()
    const reading = await webhook.read(signedRequest(formOf([entry()])), receivedAt)
    expect(reading.kind).toBe('events')
  })

  test('goes after what is passed', async () => {
    process.env['MANDRILL_WEBHOOK_KEY'] = otherKey
    process.env['MANDRILL_WEBHOOK_URL'] = 'https://else.example.com/'
    expect((await read(signedRequest(formOf([entry()])))).kind).toBe('events')
  })

  test.each<[string, MandrillWebhookOptions, RegExp]>([
    ['no key', { url }, /^mandrillWebhook: key is missing: pass it, or set MANDRILL_WEBHOOK_KEY$/],
    ['no URL', { key }, /^mandrillWebhook: url is missing: pass it, or set MANDRILL_WEBHOOK_URL$/],
  ])('with %s either there is no start', (_, options, message) => {
    expect(() => mandrillWebhook(options)).toThrow(configurationError(message))
    for (const variable of variables) process.env[variable] = ''
    expect(() => mandrillWebhook(options)).toThrow(configurationError(message))
  })
})

describe('where several webhooks and routes come to one endpoint', () => {
  const options = { key: [key, otherKey], url: [url, denylistEvent.url] }

  test.each([
    ['the first key and the first URL', { key, url }],
    ['the second key and the first URL', { key: otherKey, url }],
    ['the first key and the second URL', { key, url: denylistEvent.url }],
    ['the second key and the second URL', { key: otherKey, url: denylistEvent.url }],
  ])('a batch by %s is taken', async (_, signing) => {
    const reading = await read(signedRequest(formOf([entry()]), signing), options)
    expect(reading.kind).toBe('events')
  })

  test.each([
    ['another key', { key: 'third', url }],
    ['another URL', { key, url: `${url}/3` }],
    ['both URLs at once', { key, url: url + denylistEvent.url }],
  ])('a batch by %s is not', async (_, signing) => {
    const reading = await read(signedRequest(formOf([entry()]), signing), options)
    expect(reading.kind).toBe('refused')
  })

  test('each may be tried first', async () => {
    for (const one of options.url) {
      const trial = signedRequest(trialPost.body, { key: trialPost.key, url: one })
      expect(await read(trial, options)).toEqual({ kind: 'events', events: [] })
    }
  })
})

describe('before Mandrill has shown a key', () => {
  const first = mandrillWebhook({ key: 'test-webhook', url })

  test('the one that is public lets the trial post through', async () => {
    const trial = requestOf(trialPost.body, { 'x-mandrill-signature': trialPost.signature })
    expect(await first.read(trial, receivedAt)).toEqual({ kind: 'events', events: [] })
  })

  test('and nothing else, whoever signs it', async () => {
    const forged = signedRequest(formOf([entry()]), { key: 'test-webhook' })
    const real = requestOf(sendEvent.body, { 'x-mandrill-signature': sendEvent.signature })
    for (const request of [forged, real]) {
      expect(await first.read(request, receivedAt)).toMatchObject({ reason: 'bad-signature' })
    }
  })
})
