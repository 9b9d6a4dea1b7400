import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { verifyMailgunSignature } from '../../../src/providers/mailgun/index.js'
import { sign } from '../../../src/providers/mailgun/signature.js'
import {
  type Field,
  jsonPost,
  multipart,
  type Post,
  sample,
  signatureBy,
  signatureFields,
  signingKey,
  timestamp,
  token,
  urlEncoded,
} from './reading.js'

let warnings: string[]
beforeEach(() => {
  warnings = []
  jest
    .spyOn(process, 'emitWarning')
    .mockImplementation((warning) => void warnings.push(String(warning)))
})
afterEach(() => {
  jest.restoreAllMocks()
  delete process.env['MAILGUN_WEBHOOK_SIGNING_KEY']
  delete process.env['MAILGUN_API_KEY']
})

/** A function of its own: warnings are given once in a process. */
function loadedAnew(): typeof verifyMailgunSignature {
  const module: { verifyMailgunSignature: typeof verifyMailgunSignature } = jest.requireActual(
    '../../../src/providers/mailgun/verify',
  )
  return module.verifyMailgunSignature
}

/** What types would not let through, and JavaScript does. */
const anyOf = (value: unknown): never => value as never

const requestOf = ({ type, body }: Post) => ({ headers: { 'Content-Type': type }, body })
const fields: Field[] = [['recipient', 'ana@shop.test'], ...signatureFields()]
const posts: [string, Post][] = [
  ['JSON', jsonPost({ event: 'opened' })],
  ['JSON without a content type', { ...jsonPost({ event: 'opened' }), type: '' }],
  ['an urlencoded form', urlEncoded(fields)],
  ['a multipart form', multipart(fields)],
  ['a multipart form with files', sample('inbound-attachments.request.multipart')],
  ['a legacy event with a file', sample('legacy-bounced.request.multipart')],
  ['a legacy event with a variable named timestamp', sample('legacy-clicked.request.form')],
  ['the source of a mail', sample('inbound-mime.request.form')],
  ['a stored mail', sample('inbound-stored.request.form')],
]

describe.each(posts)('a request of %s', (_, post) => {
  test('is verified, as bytes, as text, as a Fetch request has it, and under rawBody', () => {
    const { headers, body } = requestOf(post)
    for (const request of [
      { headers, body },
      { headers, body: body.toString('latin1') },
      { headers: new Headers({ 'content-type': post.type }), body: new Uint8Array(body) },
      { headers, body: { parsed: 'by somebody' }, rawBody: body },
    ]) {
      expect(verifyMailgunSignature(request, { signingKey })).toBe(true)
    }
    expect(warnings).toEqual([])
  })

  test('is not verified with another key', () => {
    expect(verifyMailgunSignature(requestOf(post), { signingKey: 'key-other' })).toBe(false)
  })

  test('is not verified when a digit of its time is another', () => {
    const time = /1[47]6\d{7}/g
    const body = Buffer.from(post.body.toString('latin1').replace(time, '1999999999'), 'latin1')
    expect(verifyMailgunSignature(requestOf({ ...post, body }), { signingKey })).toBe(false)
  })
})

test.each<[string, unknown]>([
  ['JSON', JSON.parse(jsonPost({ event: 'opened' }).body.toString())],
  [
    'a form',
    { recipient: 'ana@shop.test', timestamp, token, signature: sign(signingKey, timestamp, token) },
  ],
  [
    'a form whose variables have the same names',
    {
      timestamp: ['x', timestamp],
      token: ['y', token],
      signature: ['z', sign(signingKey, timestamp, token)],
    },
  ],
  [
    'JSON with a number for its time',
    { signature: signatureBy(signingKey, { timestamp: Number(timestamp) }) },
  ],
  [
    "a subaccount's event",
    {
      signature: {
        timestamp: '1760000030',
        token: '858d3e796851a0d4c726430991854b92acb09663d4ff6d2774',
        signature: 'f27bce5a6daa7b3f3412cac28373dd37aa6402e501388581613f84dd547a51de',
        'parent-signature': sign(
          signingKey,
          '1760000030',
          '858d3e796851a0d4c726430991854b92acb09663d4ff6d2774',
        ),
      },
    },
  ],
])('what a parser has made of %s is as good', (_, body) => {
  expect(verifyMailgunSignature({ headers: {}, body }, { signingKey })).toBe(true)
  expect(verifyMailgunSignature({ headers: {}, body }, { signingKey: 'key-other' })).toBe(false)
})

describe('a multipart form is verified', () => {
  const formOf = (headOf: (name: string) => string): Post => ({
    type: 'multipart/form-data; boundary=b',
    body: Buffer.from(
      signatureFields()
        .map(([name, value]) => `--b\r\n${headOf(name)}\r\n\r\n${value}\r\n`)
        .join('')
        .concat('--b--\r\n'),
    ),
  })
  const disposition = 'Content-Disposition: form-data'

  test.each<[string, (name: string) => string]>([
    ['with names in quotes', (name) => `${disposition}; name="${name}"`],
    ['with bare names', (name) => `${disposition}; name=${name}`],
    [
      'with more headers behind the name',
      (name) => `${disposition}; name="${name}"\r\nContent-Type: text/plain\r\nX-A: b`,
    ],
  ])('%s', (_, headOf) => {
    expect(verifyMailgunSignature(requestOf(formOf(headOf)), { signingKey })).toBe(true)
  })
})

test('JSON is verified that came without a content type', () => {
  const { body } = jsonPost({ event: 'opened' })
  expect(verifyMailgunSignature({ headers: {}, body }, { signingKey })).toBe(true)
})

describe('a request is not verified, and nothing is thrown,', () => {
  const json = { 'content-type': 'application/json' }
  test.each<[string, unknown]>([
    ['of no JSON', { headers: json, body: 'ana@shop.test' }],
    ['of JSON that is a list', { headers: json, body: '[]' }],
    ['of JSON that is null', { headers: json, body: 'null' }],
    ['of endless JSON', { headers: json, body: '['.repeat(1_000_000) }],
    ['of an empty body', { headers: json, body: '' }],
    ['of an empty form', { headers: { 'content-type': 'multipart/form-data' }, body: '' }],
    ['of an object of anything', { headers: json, body: { signature: { token: {} } } }],
    [
      'of an object of lists',
      { headers: json, body: { timestamp: [[1]], token: [], signature: 7 } },
    ],
    [
      'with a token of bytes',
      { headers: json, body: { ...signatureBy(signingKey), token: token + '\0' } },
    ],
  ])('%s', (_, request) => {
    expect(verifyMailgunSignature(anyOf(request), { signingKey })).toBe(false)
    expect(warnings).toEqual([])
  })

  test.each<[string, unknown, string]>([
    ['without a body', { headers: json }, 'the body is not there: take express.raw('],
    ['with a body that is a stream', { headers: json, body: null }, 'the body is not there'],
    ['without headers', { body: Buffer.from('x') }, 'it was given no request that it can read'],
    ['that is nothing', undefined, 'it was given no request that it can read'],
  ])('%s, which is said once', (_, request, warning) => {
    jest.isolateModules(() => {
      const verify = loadedAnew()
      const once = () => verify(anyOf(request), { signingKey })
      expect([once(), once()]).toEqual([false, false])
    })
    expect(warnings).toEqual([expect.stringContaining(`verifyMailgunSignature: ${warning}`)])
  })

  test('which takes no longer the longer it is', () => {
    const looks = '\r\nname="token"'.repeat(500_000)
    const request = { headers: { 'content-type': 'multipart/form-data; boundary=b' }, body: looks }
    const began = performance.now()
    expect(verifyMailgunSignature(request, { signingKey })).toBe(false)
    expect(performance.now() - began).toBeLessThan(2000)
  })
})

describe('the key', () => {
  const request = requestOf(jsonPost({ event: 'opened' }))

  test('may be one of several', () => {
    expect(verifyMailgunSignature(request, { signingKey: ['key-other', signingKey] })).toBe(true)
  })

  test('may end its line, as in the file it was read from', () => {
    expect(verifyMailgunSignature(request, { signingKey: ` ${signingKey}\n` })).toBe(true)
  })

  test('may come from the environment', () => {
    process.env['MAILGUN_WEBHOOK_SIGNING_KEY'] = ` ${signingKey}\n`
    expect(verifyMailgunSignature(request)).toBe(true)
    expect(verifyMailgunSignature(request, {})).toBe(true)
    expect(verifyMailgunSignature(request, { signingKey: 'key-other' })).toBe(false)
    expect(verifyMailgunSignature(request, { signingKey: '' })).toBe(false)
  })

  test.each<[unknown]>([[''], [' '], [[]], [['']], [null], [7]])(
    'that is %j verifies nothing, and a warning says so',
    (key) => {
      const options = { signingKey: anyOf(key) }
      expect(verifyMailgunSignature(request, options)).toBe(false)
      const signed = { ...request, body: { signature: signatureBy('') } }
      expect(verifyMailgunSignature(signed, options)).toBe(false)
    },
  )

  test('that is a function is warned of, for nobody waits for it', () => {
    const signingKeys = anyOf(() => [signingKey])
    expect(verifyMailgunSignature(request, { signingKey: signingKeys })).toBe(false)
    expect(warnings).toEqual([expect.stringContaining('must be a text or a list of them')])
  })

  test('that is missing is warned of with what to do', () => {
    expect(verifyMailgunSignature(request)).toBe(false)
    expect(warnings).toEqual([
      'verifyMailgunSignature: signingKey is missing: pass it, or set MAILGUN_WEBHOOK_SIGNING_KEY',
    ])
    expect(verifyMailgunSignature(request, anyOf(null))).toBe(false)
  })

  test('that is an API key is warned of where it does not fit', () => {
    const apiKey = '0123456789abcdef0123456789abcdef-01234567-89abcdef'
    const fitting = requestOf(jsonPost({ event: 'opened' }, apiKey))
    expect(verifyMailgunSignature(fitting, { signingKey: apiKey })).toBe(true)
    expect(warnings).toEqual([])
    expect(verifyMailgunSignature(request, { signingKey: apiKey })).toBe(false)
    expect(warnings).toEqual([expect.stringContaining('the signing key is an API key')])
    expect(warnings.join()).not.toContain(apiKey)
  })

  test('that is an API key is warned of among others, and not where nothing was signed', () => {
    jest.isolateModules(() => {
      const verify = loadedAnew()
      const keys = ['key-other', '0123456789abcdef0123456789abcdef-01234567-89abcdef']
      const unsigned = requestOf(multipart([['recipient', 'ana@shop.test']]))
      expect(verify(unsigned, { signingKey: keys })).toBe(false)
      expect(warnings).toEqual([])
      expect(verify(request, { signingKey: keys })).toBe(false)
      expect(warnings).toEqual([expect.stringContaining('the signing key is an API key')])
    })
  })
})
