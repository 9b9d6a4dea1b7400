import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createCorrelator, memoryStore } from '../../../src/index.js'
import { mailgunWebhook } from '../../../src/providers/mailgun/index.js'
import { formDigest } from '../../../src/providers/mailgun/posted-form.js'
import { sign } from '../../../src/providers/mailgun/signature.js'
import { type Endpoint, startEndpoint } from '../../endpoint.js'
import { collectTold, type Told } from '../../told-events.js'
import {
  type Field,
  type File,
  multipart,
  type Post,
  signatureFields,
  signingKey,
  timestamp,
  urlEncoded,
} from './reading.js'

const messageId = '20251009085320.4c1e0f9a7b2d6358@mg.example.com'

interface Signed {
  key?: string
  /** Mailgun's one-time token. */
  token?: string
  /** What is said: another is another content. */
  words?: string
  /** Of a multipart form. */
  boundary?: string
}

interface Format {
  /** What it is told as. */
  type: string
  post(signed?: Signed): Post
  /** The path that Mailgun is given for it. */
  path: string
}

const someToken = (name: string): string => createHash('sha256').update(name).digest('hex')
const signed = ({ key = signingKey, token = 'one' }: Signed): Field[] =>
  signatureFields(key, timestamp, someToken(token))

const clicked = (signature: Signed): Field[] => [
  ['event', 'clicked'],
  ['recipient', 'ana@shop.test'],
  ['domain', 'mg.example.com'],
  ['message-id', messageId],
  ['url', `https://shop.test/${signature.words ?? ''}`],
  ...signed(signature),
]
const bounced = ({ words = '', ...signature }: Signed): Field[] => [
  ['event', 'bounced'],
  ['recipient', 'ana@shop.test'],
  ['Message-Id', `<${messageId}>`],
  ['code', '550'],
  ['error', `5.1.1 gone ${words}`],
  ['attachment-count', '1'],
  ...signed(signature),
]
const returned: File = { name: 'attachment-1', filename: 'message.mime', content: 'Subject: x' }
const mail: Field[] = [
  ['recipient', 'support@in.example.com'],
  ['sender', 'ana@shop.test'],
  ['subject', 'Re: Invoice'],
  ['from', 'Ana <ana@shop.test>'],
]
const headerList: Field = [
  'message-headers',
  JSON.stringify([
    ['From', 'Ana <ana@shop.test>'],
    ['Date', 'Thu, 09 Oct 2025 11:09:58 +0200'],
    ['Message-Id', '<reply@shop.test>'],
    ['In-Reply-To', `<${messageId}>`],
  ]),
]
const parsed = ({ words = '', ...signature }: Signed): Field[] => [
  ...mail,
  headerList,
  ...signed(signature),
  ['body-plain', `Paid. ${words}`],
]

const formats: [string, Format][] = [
  [
    'an event',
    {
      type: 'opened',
      path: '/mailgun',
      post: ({ key = signingKey, token = 'one', words = '' } = {}) => ({
        type: 'application/json',
        body: Buffer.from(
          JSON.stringify({
            signature: {
              timestamp,
              token: someToken(token),
              signature: sign(key, timestamp, someToken(token)),
            },
            'event-data': {
              event: 'opened',
              id: 'b5RkX9oAQe2Tj7LwN0vYcg',
              timestamp: 1760000899.042277,
              message: { headers: { 'message-id': messageId } },
              recipient: 'ana@shop.test',
              'client-info': { 'user-agent': words },
            },
          }),
        ),
      }),
    },
  ],
  [
    'a legacy event',
    { type: 'clicked', path: '/mailgun', post: (signature = {}) => urlEncoded(clicked(signature)) },
  ],
  [
    'a legacy event with the mail that came back',
    {
      type: 'bounced',
      path: '/mailgun',
      post: (signature = {}) => multipart(bounced(signature), [returned], signature.boundary),
    },
  ],
  [
    'a parsed mail',
    {
      type: 'inbound',
      path: '/mailgun/inbound',
      post: (signature = {}) => urlEncoded(parsed(signature)),
    },
  ],
  [
    'a parsed mail with attachments',
    {
      type: 'inbound',
      path: '/mailgun/inbound',
      post: ({ words = '', ...signature } = {}) =>
        multipart(
          parsed(signature),
          [{ name: 'attachment-1', filename: 'a.txt', content: `Hello ${words}` }],
          signature.boundary,
        ),
    },
  ],
  [
    'the source of a mail',
    {
      type: 'inbound',
      path: '/mailgun/inbound',
      post: ({ words = '', ...signature } = {}) =>
        urlEncoded([
          ...mail,
          [
            'body-mime',
            `From: Ana <ana@shop.test>\r\nIn-Reply-To: <${messageId}>\r\nMessage-ID: <reply@shop.test>\r\n\r\nPaid. ${words}`,
          ],
          ...signed(signature),
        ]),
    },
  ],
  [
    'a stored mail',
    {
      type: 'inbound',
      path: '/mailgun/inbound',
      post: (signature = {}) =>
        urlEncoded([
          ...parsed(signature),
          ['message-url', 'https://api.mailgun.net/v3/domains/in.example.com/messages/key'],
          ['attachments', '[]'],
        ]),
    },
  ],
]

let correlator: ReturnType<typeof createCorrelator>
let endpoint: Endpoint
let told: Told[]
let reasons: string[]

beforeEach(async () => {
  correlator = createCorrelator({
    store: memoryStore(),
    webhooks: [
      mailgunWebhook({ signingKey }),
      mailgunWebhook({
        signingKey,
        name: 'small',
        maxBodyBytes: 100,
        inbound: { maxBodyBytes: 100 },
      }),
      mailgunWebhook({ signingKey, name: 'mailgun-mime' }),
    ],
  })
  told = collectTold(correlator)
  reasons = []
  correlator.onError(() => {})
  correlator.on('refused', ({ reason }) => void reasons.push(reason))
  endpoint = await startEndpoint(correlator.nodeHandler)
  await correlator.record({
    provider: 'mailgun',
    providerMessageId: messageId,
    messageId: `<${messageId}>`,
    recipients: ['ana@shop.test'],
  })
})
afterEach(async () => {
  await endpoint.close()
  await correlator.close()
})

async function send({ type, body }: Post, path: string): Promise<number> {
  const headers = { 'content-type': type }
  return (await fetch(endpoint.url + path, { method: 'POST', headers, body })).status
}
const toldTypes = async (): Promise<string[]> => {
  await correlator.drain()
  return told.map(({ event }) => event.type)
}

describe.each(formats)('%s', (_, { type, post, path }) => {
  test('is stored, told with its message, and answered 200', async () => {
    expect(await send(post(), path)).toBe(200)
    expect(await toldTypes()).toEqual([type])
    expect(told[0]?.event.correlation.status).toBe('matched')
    expect(told[0]?.message?.providerMessageId).toBe(messageId)
    expect(reasons).toEqual([])
  })

  test.each(['/mailgun', '/mailgun/inbound', '/any/prefix/mailgun'])(
    'is known at %s',
    async (at) => {
      expect(await send(post(), at)).toBe(200)
      expect(await toldTypes()).toEqual([type])
    },
  )

  test('that comes again, as it was or with another boundary, is answered 200 and told once', async () => {
    const statuses = [
      await send(post(), path),
      await send(post(), path),
      await send(post({ boundary: 'another' }), path),
    ]
    expect([statuses, await toldTypes()]).toEqual([[200, 200, 200], [type]])
  })

  test('that comes again with another token is answered 200 and told once', async () => {
    const statuses = [await send(post(), path), await send(post({ token: 'two' }), path)]
    expect([statuses, await toldTypes()]).toEqual([[200, 200], [type]])
  })

  test('whose signature comes with another content is answered 406 and told as it was', async () => {
    const statuses = [await send(post(), path), await send(post({ words: 'forged' }), path)]
    expect([statuses, await toldTypes()]).toEqual([[200, 406], [type]])
    expect(reasons).toEqual(['replayed'])
  })

  test('whose signature came with something else before is answered 406', async () => {
    const [other] = formats.filter(([name]) => name !== _)
    if (!other) throw new Error('there are others')
    const statuses = [await send(other[1].post(), other[1].path), await send(post(), path)]
    expect([statuses, await toldTypes()]).toEqual([[200, 406], [other[1].type]])
  })

  test('that another key has signed is answered 406', async () => {
    expect(await send(post({ key: 'key-of-somebody-else' }), path)).toBe(406)
    expect([await toldTypes(), reasons]).toEqual([[], ['bad-signature']])
  })

  test('that nobody has signed is answered 406', async () => {
    const { type: contentType, body } = post()
    const unsigned = Buffer.from(body.toString('latin1').replaceAll('token', 'tokem'), 'latin1')
    expect(await send({ type: contentType, body: unsigned }, path)).toBe(406)
    expect([await toldTypes(), reasons]).toEqual([[], ['unsigned']])
  })

  test('that is cut short changes nothing', async () => {
    const { type: contentType, body } = post()
    const cut = body.subarray(0, body.indexOf(someToken('one')) + 20)
    expect(await send({ type: contentType, body: cut }, path)).toBe(406)
    expect(await toldTypes()).toEqual([])
  })

  test.each(['text/plain', 'application/xml', 'multipart/mixed; boundary=b', 'x'])(
    'as %s is not read, and answered 406',
    async (contentType) => {
      expect(await send({ ...post(), type: contentType }, path)).toBe(406)
      expect([await toldTypes(), reasons]).toEqual([[], ['unsupported']])
    },
  )

  test('that is too large is answered 413, so that it comes again', async () => {
    expect(await send(post(), path.replace('mailgun', 'small'))).toBe(413)
    expect([await toldTypes(), reasons]).toEqual([[], ['too-large']])
  })
})

test.each(formats.filter(([, { post }]) => post().type.startsWith('multipart')))(
  '%s that has no end is malformed, and answered 406',
  async (_, { post, path }) => {
    const { type, body } = post()
    expect(await send({ type, body: body.subarray(0, -10) }, path)).toBe(406)
    expect(await send({ type: 'multipart/form-data', body }, path)).toBe(406)
    expect([await toldTypes(), reasons]).toEqual([[], ['malformed', 'malformed']])
  },
)

test('a form of too many fields is malformed', async () => {
  const many = Array.from({ length: 3000 }, (_, at): Field => [`v${at}`, ''])
  expect(await send(urlEncoded([...many, ...clicked({})]), '/mailgun')).toBe(406)
  expect(await send(multipart([...many, ...clicked({})]), '/mailgun')).toBe(406)
  expect([await toldTypes(), reasons]).toEqual([[], ['malformed', 'malformed']])
})

test('the source of a mail is taken at a URL that ends in mime, as Mailgun asks for', async () => {
  const [, source] = formats.find(([name]) => name === 'the source of a mail') ?? []
  if (!source) throw new Error('it is one of the formats')
  expect(await send(source.post(), '/mailgun-mime')).toBe(200)
  expect(await toldTypes()).toEqual(['inbound'])
})

test('an event of more than a megabyte is too large, wherever it is posted', async () => {
  const [, event] = formats[0] ?? []
  if (!event) throw new Error('it is the first')
  for (const path of ['/mailgun', '/mailgun/inbound']) {
    expect(await send(event.post({ words: 'x'.repeat(1024 * 1024) }), path)).toBe(413)
  }
  expect([await toldTypes(), reasons]).toEqual([[], ['too-large', 'too-large']])
})

test('a mail of 25 MB is taken, at either path', async () => {
  const content = Buffer.alloc(25 * 1024 * 1024, 'a')
  const file: File = { name: 'attachment-1', filename: 'large.bin', content }
  expect(await send(multipart(parsed({}), [file]), '/mailgun/inbound')).toBe(200)
  expect(await send(multipart(bounced({ token: 'two' }), [file]), '/mailgun')).toBe(200)
  expect(await toldTypes()).toEqual(['inbound', 'bounced'])
})

describe('a signature is bound to all of a form', () => {
  const file: File = { name: 'attachment-1', filename: 'a.txt', content: 'a' }
  const first = () => multipart([...parsed({}), ['x', '1'], ['x', '2']], [file])

  test.each<[string, Post]>([
    ['another value', multipart([...parsed({}), ['x', '1'], ['x', '3']], [file])],
    ['values in another order', multipart([...parsed({}), ['x', '2'], ['x', '1']], [file])],
    ['a value less', multipart([...parsed({}), ['x', '1']], [file])],
    ['another name', multipart([...parsed({}), ['x', '1'], ['y', '2']], [file])],
    ['values that run together', multipart([...parsed({}), ['x', '12'], ['x', '']], [file])],
    ['no file', multipart([...parsed({}), ['x', '1'], ['x', '2']], [])],
    [
      'another file name',
      multipart([...parsed({}), ['x', '1'], ['x', '2']], [{ ...file, filename: 'b.txt' }]),
    ],
    [
      'another type of a file',
      multipart([...parsed({}), ['x', '1'], ['x', '2']], [{ ...file, contentType: 'text/html' }]),
    ],
    [
      'a field in place of the file',
      multipart([...parsed({}), ['x', '1'], ['x', '2'], ['attachment-1', 'a']]),
    ],
  ])('so that %s is a forgery', async (_, other) => {
    expect([await send(first(), '/mailgun'), await send(other, '/mailgun')]).toEqual([200, 406])
    expect(reasons).toEqual(['replayed'])
  })

  test('so that a digit moved from its token to its time is one, too', async () => {
    const once = `1${'0'.repeat(49)}`
    const form = (time: string, token: string) =>
      urlEncoded([
        ['event', 'opened'],
        ['recipient', 'ana@shop.test'],
        ['timestamp', time],
        ['token', token],
        ['signature', sign(signingKey, timestamp, once)],
      ])
    expect(await send(form(timestamp, once), '/mailgun')).toBe(200)
    expect(await send(form(`${timestamp}1`, once.slice(1)), '/mailgun')).toBe(406)
    expect(reasons).toEqual(['replayed'])
  })

  test('so that no value can pass for two fields', () => {
    const form = (...fields: Field[]) => ({
      fields: fields.map(([name, value]) => ({ name, value: Buffer.from(value) })),
      files: [],
    })
    const one = form(['x', '1["field","y"]\n2'])
    expect(formDigest(one)).not.toBe(formDigest(form(['x', '1'], ['y', '2'])))
  })

  test('whatever the order of fields of different names', async () => {
    const other = multipart([['x', '1'], ['x', '2'], ...parsed({})], [file], 'another')
    expect([await send(first(), '/mailgun'), await send(other, '/mailgun')]).toEqual([200, 200])
  })
})

describe('a mail that answers a message', () => {
  const post = async (to: string, ...pairs: [string, string][]) => {
    const list: Field = ['message-headers', JSON.stringify([['From', 'ana@shop.test'], ...pairs])]
    const form: Field[] = [['recipient', to], ['sender', 'ana@shop.test'], list, ...signed({})]
    expect(await send(urlEncoded(form), '/mailgun/inbound')).toBe(200)
    await correlator.drain()
    const [reply] = told
    return [reply?.event.correlation, reply?.message?.providerMessageId]
  }
  const to = 'support@in.example.com'

  test('is matched by In-Reply-To', async () => {
    expect(await post(to, ['In-Reply-To', `<${messageId}>`])).toEqual([
      { status: 'matched', via: 'message-id' },
      messageId,
    ])
  })

  test('is matched by References', async () => {
    const thread = `<first@shop.test> <${messageId}> <last@shop.test>`
    expect(await post(to, ['In-Reply-To', '<last@shop.test>'], ['References', thread])).toEqual([
      { status: 'matched', via: 'message-id' },
      messageId,
    ])
  })

  test('is matched by the address that it went to', async () => {
    const trackingId = await correlator.record({
      provider: 'mailgun',
      providerMessageId: 'other@mg.example.com',
      recipients: ['bo@shop.test'],
    })
    expect(await post(`reply+${trackingId}@in.example.com`)).toEqual([
      { status: 'matched', via: 'own-id' },
      'other@mg.example.com',
    ])
  })

  test('is told at once where it answers nothing of ours', async () => {
    expect(await post(to, ['In-Reply-To', '<foreign@shop.test>'])).toEqual([
      { status: 'foreign' },
      undefined,
    ])
  })
})

describe('a mail to several addresses', () => {
  test('that comes once for each is told for each', async () => {
    for (const [at, to] of ['a@in.example.com', 'b@in.example.com'].entries()) {
      const [, ...rest] = parsed({ token: String(at) })
      expect(await send(urlEncoded([['recipient', to], ...rest]), '/mailgun/inbound')).toBe(200)
    }
    await correlator.drain()
    expect(told.map(({ event }) => event.recipient)).toEqual([
      'a@in.example.com',
      'b@in.example.com',
    ])
  })
})
