import { createHmac, generateKeyPairSync, sign as signBytes } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createCorrelator, memoryStore, type Store } from '../src/index.js'
import { mailgunWebhook } from '../src/providers/mailgun/index.js'
import { mandrillWebhook } from '../src/providers/mandrill/index.js'
import { sendgridWebhook } from '../src/providers/sendgrid/index.js'
import { eventNames } from './providers/sendgrid/event-names.js'

// Some six seconds for each of eight, so that all of it takes less than a minute.
const bounds = { numRuns: 1500, interruptAfterTimeLimit: 6000, markInterruptAsFailure: false }

const keys = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
const publicKey = keys.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
const signingKey = 'key-of-mailgun'
const key = 'key-of-mandrill'
const url = 'https://hooks.example.com/mandrill'
const seconds = '1760000000'
const token = '580d6443d8d907d110b69885861df72efc4a69cb8766b7b332'

interface Post {
  path: string
  headers: Record<string, string>
  body: Buffer
}

/** How each provider signs a body, whatever it is. */
const signers = {
  sendgrid: (body: Buffer, type = 'application/json', path = '/sendgrid'): Post => ({
    path,
    body,
    headers: {
      'content-type': type,
      'x-twilio-email-event-webhook-timestamp': seconds,
      'x-twilio-email-event-webhook-signature': signBytes(
        'sha256',
        Buffer.concat([Buffer.from(seconds), body]),
        keys.privateKey,
      ).toString('base64'),
    },
  }),
  mandrill: (json: string): Post => ({
    path: '/mandrill',
    body: Buffer.from(new URLSearchParams({ mandrill_events: json }).toString()),
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'x-mandrill-signature': createHmac('sha1', key)
        .update(`${url}mandrill_events${json.toWellFormed()}`)
        .digest('base64'),
    },
  }),
}

const mailgunSignature = (
  once: string,
): { timestamp: string; token: string; signature: string } => ({
  timestamp: seconds,
  token: once,
  signature: createHmac('sha256', signingKey)
    .update(seconds + once)
    .digest('hex'),
})

const boundary = 'xYzZY'

/** A multipart body, of parts with these headers beside their name. */
function multipart(
  parts: readonly (readonly [name: string, value: Buffer, more?: string])[],
): Buffer {
  return Buffer.concat([
    ...parts.flatMap(([name, value, more = '']) => [
      Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n`),
      value,
      Buffer.from('\r\n'),
    ]),
    Buffer.from(`--${boundary}--\r\n`),
  ])
}

const multipartType = `multipart/form-data; boundary=${boundary}`

let store: Store
let correlator: ReturnType<typeof createCorrelator>
let reasons: string[]

beforeAll(() => {
  store = memoryStore()
  reasons = []
  correlator = createCorrelator({
    store,
    webhooks: [
      sendgridWebhook({ publicKey, inbound: { publicKey } }),
      mailgunWebhook({ signingKey }),
      mandrillWebhook({ key, url }),
    ],
  })
  correlator.onError(() => {})
  correlator.on('refused', ({ reason }) => void reasons.push(reason))
})
afterAll(async () => {
  await correlator.close()
})

/**
 * Posts it, and checks what holds for whatever is posted. An unhandled rejection fails a test by itself:
 * jest sees to that, and keeps the events of the process from tests.
 */
async function post({ path, headers, body }: Post): Promise<number> {
  reasons.length = 0
  const request = new Request(`https://hooks.example.com${path}`, { method: 'POST', headers, body })
  const { status } = await correlator.handler(request)
  expect(reasons.filter((reason) => reason === 'unexpected')).toEqual([])
  expect([200, 400, 403, 406, 413, 415]).toContain(status)
  return status
}

/** A value anywhere in an event, of a kind that some field of it has, or of none. */
const anything = fc.oneof(
  fc.jsonValue({ depthSize: 'medium' }),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '',
    ' ',
    '5.1.1',
    '550 5.7.1 no',
    1e300,
    -1,
    1.5,
    '1760000000',
    1760000000000,
    null,
  ),
)

const entryWith = (names: readonly string[]) =>
  fc.dictionary(fc.oneof(fc.constantFrom(...names), fc.string()), anything, { maxKeys: 12 })

const sendgridNames = [
  'event',
  'email',
  'timestamp',
  'sg_event_id',
  'sg_message_id',
  'smtp-id',
  'category',
  'asm_group_id',
  'response',
  'attempt',
  'reason',
  'status',
  'type',
  'bounce_classification',
  'ip',
  'useragent',
  'url',
  'url_offset',
  'sg_machine_open',
  'mailtrail_id',
  '__proto__',
]
const mailgunNames = [
  'event',
  'id',
  'timestamp',
  'severity',
  'reason',
  'recipient',
  'message',
  'flags',
  'delivery-status',
  'reject',
  'ip',
  'client-info',
  'url',
  'user-variables',
  'tags',
  'mailing-list',
  '__proto__',
]
const mailgunEvents = [
  'accepted',
  'delivered',
  'failed',
  'rejected',
  'opened',
  'clicked',
  'unsubscribed',
  'complained',
  'stored',
]
const mandrillNames = [
  'event',
  '_id',
  'ts',
  'msg',
  'diag',
  'ip',
  'url',
  'user_agent',
  'user_agent_parsed',
  'type',
  'action',
  'reject',
  'entry',
  '__proto__',
]
const mandrillEvents = [
  'send',
  'delivered',
  'deferral',
  'hard_bounce',
  'soft_bounce',
  'open',
  'click',
  'spam',
  'unsub',
  'reject',
  'inbound',
]
const messageNames = [
  '_id',
  'email',
  'metadata',
  'tags',
  'smtp_events',
  'diag',
  'bounce_description',
  'reject',
  'ts',
  'raw_msg',
  'headers',
  'text',
  'html',
  'from_email',
  'from_name',
  'to',
  'cc',
  'subject',
  'attachments',
  'images',
  'spam_report',
  'dkim',
  'spf',
  '__proto__',
]

/** Mostly events that are known by name, so that the rest of them is looked at. */
const named = (names: readonly string[], events: readonly string[]) =>
  fc
    .tuple(entryWith(names), fc.oneof(fc.constantFrom(...events), anything))
    .map(([entry, event]) => ({ ...entry, event }))

const oneRun = { timeout: 60_000 }

describe('whatever is in a signed body, it is answered, and what can be read is stored', () => {
  test(
    'SendGrid',
    async () => {
      const batches = fc.array(fc.oneof(named(sendgridNames, eventNames), anything), {
        maxLength: 5,
      })
      await fc.assert(
        fc.asyncProperty(batches, async (batch) => {
          expect(await post(signers.sendgrid(Buffer.from(JSON.stringify(batch))))).toBe(200)
        }),
        bounds,
      )
    },
    oneRun.timeout,
  )

  test(
    'Mailgun',
    async () => {
      let times = 0
      await fc.assert(
        fc.asyncProperty(named(mailgunNames, mailgunEvents), async (entry) => {
          const signature = mailgunSignature(`token${(times += 1)}`)
          const body = Buffer.from(JSON.stringify({ signature, 'event-data': entry }))
          const headers = { 'content-type': 'application/json' }
          expect(await post({ path: '/mailgun', headers, body })).toBe(200)
        }),
        bounds,
      )
    },
    oneRun.timeout,
  )

  test(
    'Mandrill',
    async () => {
      const entry = fc
        .tuple(named(mandrillNames, mandrillEvents), entryWith(messageNames), fc.boolean())
        .map(([event, message, plain]) => (plain ? { ...event, msg: message } : event))
      await fc.assert(
        fc.asyncProperty(fc.array(fc.oneof(entry, anything), { maxLength: 4 }), async (batch) => {
          expect(await post(signers.mandrill(JSON.stringify(batch)))).toBe(200)
        }),
        bounds,
      )
    },
    oneRun.timeout,
  )
})

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))

/** Pieces of mail, so that a random order of them is something like one. */
const mailPiece = fc.oneof(
  { weight: 1, arbitrary: bytes },
  {
    weight: 4,
    arbitrary: fc
      .constantFrom(
        'From: Ann <ann@example.com>\r\n',
        'To: x\r\n',
        'Subject: =?utf-8?B?w7w=?=\r\n',
        '\r\n',
        '\r\n\r\n',
        'Content-Type: multipart/mixed; boundary="b"\r\n',
        '--b\r\n',
        '--b--\r\n',
        'Content-Type: text/html\r\n',
        'Content-Transfer-Encoding: base64\r\n',
        'Content-Transfer-Encoding: quoted-printable\r\n',
        '=3D=\r\n',
        'Content-Type: text/plain; charset=cp850\r\n',
        'Content-Disposition: attachment; filename*=x\r\n',
        'Content-ID: <a>\r\n',
        'Date: yesterday\r\n',
        'References: <a> <b>\r\n',
        'Content-Type: message/rfc822\r\n',
        'Message-ID: <m@example.com>\r\n',
        'In-Reply-To: \r\n <x@y>\r\n',
        '<img src="cid:a">',
        '"',
        ';',
        ' ',
      )
      .map((text) => Buffer.from(text)),
  },
)
const mailSource = fc.array(mailPiece, { maxLength: 20 }).map((pieces) => Buffer.concat(pieces))

const inboundNames = [
  'headers',
  'dkim',
  'SPF',
  'to',
  'from',
  'cc',
  'subject',
  'text',
  'html',
  'envelope',
  'sender_ip',
  'spam_report',
  'spam_score',
  'charsets',
  'attachments',
  'attachment-info',
  'content-ids',
  'email',
]
const routeNames = [
  'recipient',
  'sender',
  'from',
  'subject',
  'body-plain',
  'body-html',
  'stripped-text',
  'attachment-count',
  'content-id-map',
  'message-headers',
  'body-mime',
  'message-url',
  'attachments',
  'event',
  'Message-Id',
  'code',
  'error',
  'tag',
  'X-Mailgun-Variables',
  'timestamp',
  'token',
  'signature',
]
const fieldValue = fc.oneof(
  mailSource,
  fc.json().map((json) => Buffer.from(json)),
  fc
    .constantFrom(
      '{"to":["a@b.c"],"from":""}',
      '{"to":"x"}',
      '[["From","a@b.c"],["X",{}],[]]',
      '{"a":"attachment-1"}',
      '{"subject":"cp850","text":"x-none","html":1}',
      '[{"url":"https://x/1","size":"7"}]',
      'delivered',
      '5.1.1',
    )
    .map((text) => Buffer.from(text)),
)
const formOf = (names: readonly string[]) =>
  fc.array(
    fc.tuple(
      fc.oneof(
        { weight: 5, arbitrary: fc.constantFrom(...names) },
        fc.stringMatching(/^[\w-]{1,12}$/),
      ),
      fieldValue,
      fc.constantFrom(
        '',
        '',
        '',
        '; filename="a.txt"\r\nContent-Type: text/plain',
        '; filename=""',
      ),
    ),
    { maxLength: 10 },
  )

describe('whatever mail comes in, it is answered', () => {
  test(
    'at SendGrid',
    async () => {
      await fc.assert(
        fc.asyncProperty(formOf(inboundNames), async (parts) => {
          const status = await post(
            signers.sendgrid(multipart(parts), multipartType, '/sendgrid/inbound'),
          )
          expect([200, 400]).toContain(status)
        }),
        bounds,
      )
    },
    oneRun.timeout,
  )

  test(
    'at Mailgun, in either kind of form',
    async () => {
      let times = 0
      await fc.assert(
        fc.asyncProperty(formOf(routeNames), fc.boolean(), async (parts, asMultipart) => {
          const signature = Object.entries(mailgunSignature(`form${(times += 1)}`))
          const all = [
            ...parts,
            ...signature.map(([name, value]) => [name, Buffer.from(value)] as const),
          ]
          const urlencoded = new URLSearchParams(
            all.map(([name, value]): [string, string] => [name, value.toString()]),
          )
          const status = await post(
            asMultipart
              ? {
                  path: '/mailgun/inbound',
                  headers: { 'content-type': multipartType },
                  body: multipart(all),
                }
              : {
                  path: '/mailgun',
                  headers: { 'content-type': 'application/x-www-form-urlencoded' },
                  body: Buffer.from(urlencoded.toString()),
                },
          )
          expect([200, 406]).toContain(status)
        }),
        bounds,
      )
    },
    oneRun.timeout,
  )
})

/** Requests as providers send them, to be spoilt. */
const honest: Post[] = [
  signers.sendgrid(
    Buffer.from('[{"email":"a@b.c","event":"delivered","timestamp":1760000000}]\r\n'),
  ),
  signers.sendgrid(
    multipart([
      ['headers', Buffer.from('Subject: x\n')],
      ['envelope', Buffer.from('{}')],
    ]),
    multipartType,
    '/sendgrid/inbound',
  ),
  signers.mandrill('[{"event":"send","_id":"a","ts":1760000000,"msg":{"email":"a@b.c"}}]'),
  {
    path: '/mailgun',
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(
      JSON.stringify({ signature: mailgunSignature(token), 'event-data': { event: 'delivered' } }),
    ),
  },
]

/** How a request is spoilt. */
const damage = fc.record({
  which: fc.nat({ max: honest.length - 1 }),
  cut: fc.option(fc.tuple(fc.nat({ max: 400 }), fc.nat({ max: 400 }))),
  insert: fc.option(fc.tuple(fc.nat({ max: 400 }), bytes)),
  flip: fc.option(fc.nat({ max: 400 })),
  type: fc.option(
    fc.constantFrom(
      '',
      'application/json',
      'text/plain',
      multipartType,
      'multipart/form-data',
      'application/x-www-form-urlencoded',
    ),
  ),
  signature: fc.option(fc.base64String({ maxLength: 120 })),
  encoding: fc.option(fc.constantFrom('gzip', 'identity', 'br')),
})

test(
  'a request that was changed on its way changes nothing',
  async () => {
    const empty = memoryStore()
    const untouched = createCorrelator({
      store: empty,
      webhooks: [
        sendgridWebhook({ publicKey, inbound: { publicKey } }),
        mandrillWebhook({ key, url }),
        mailgunWebhook({ signingKey }),
      ],
    })
    untouched.onError(() => {})
    await fc.assert(
      fc.asyncProperty(damage, async ({ which, cut, insert, flip, type, signature, encoding }) => {
        const original = honest[which]
        if (!original) return
        // Mailgun signs no content: there the signature itself is spoilt.
        const forged =
          original.path === '/mailgun'
            ? original.body.toString().replace(/"signature":"./, '"signature":"x')
            : original.body
        let body = Buffer.from(forged)
        if (cut) body = Buffer.concat([body.subarray(0, cut[0]), body.subarray(cut[0] + cut[1])])
        if (insert)
          body = Buffer.concat([body.subarray(0, insert[0]), insert[1], body.subarray(insert[0])])
        if (flip !== null && flip < body.length) body[flip] = (body[flip] ?? 0) ^ 1
        const headers = {
          ...original.headers,
          ...(type !== null && { 'content-type': type }),
          ...(encoding !== null && { 'content-encoding': encoding }),
          ...(signature !== null && {
            'x-twilio-email-event-webhook-signature': signature,
            'x-mandrill-signature': signature,
          }),
        }
        const same = signature === null && body.equals(original.body)
        fc.pre(!same)
        // A form may be written in other bytes and say the same.
        fc.pre(
          original.path !== '/mandrill' ||
            signature !== null ||
            new URLSearchParams(body.toString()).get('mandrill_events') !==
              new URLSearchParams(original.body.toString()).get('mandrill_events'),
        )
        const request = new Request(`https://hooks.example.com${original.path}`, {
          method: 'POST',
          headers,
          body,
        })
        const { status } = await untouched.handler(request)
        expect([400, 403, 406, 413, 415]).toContain(status)
        expect(await empty.nextDue()).toBeUndefined()
      }),
      bounds,
    )
    await untouched.close()
  },
  oneRun.timeout,
)

const megabyte = 1024 * 1024
const fill = (piece: string): string => piece.repeat(Math.floor(megabyte / piece.length))

/** A batch of so many events, each of so many fields. */
function wideBatch(events: number, fields: number): Buffer {
  const rest = Array.from({ length: fields - 1 }, (_, at) => `"k${at}":"v"`).join(',')
  const batch = Array.from({ length: events }, (_, event) => `{"email":"a${event}@b.c",${rest}}`)
  return Buffer.from(`[${batch.join(',')}]`)
}

/** Bodies of a megabyte, each the worst for some step on the way. */
const costly: [string, () => Post][] = [
  ['JSON of brackets', () => signers.sendgrid(Buffer.from(fill('[')))],
  [
    'JSON nested and closed',
    () => signers.sendgrid(Buffer.from('['.repeat(megabyte / 2) + ']'.repeat(megabyte / 2))),
  ],
  ['a batch of nothing', () => signers.sendgrid(Buffer.from(`[${fill('0,')}0]`))],
  ['a batch of empty events', () => signers.sendgrid(Buffer.from(`[${fill('{},')}{}]`))],
  [
    'an event of many fields',
    () =>
      signers.sendgrid(
        Buffer.from(`[{${Array.from({ length: 70_000 }, (_, at) => `"k${at}":"v"`).join(',')}}]`),
      ),
  ],
  ['three events of too many fields', () => signers.sendgrid(wideBatch(3, 23_000))],
  ['events of too many fields together', () => signers.sendgrid(wideBatch(70, 1000))],
  ['events of as many fields as are read', () => signers.sendgrid(wideBatch(350, 200))],
  [
    'an event of one long field',
    () =>
      signers.sendgrid(Buffer.from(JSON.stringify([{ event: 'bounce', reason: fill('5.1.') }]))),
  ],
  [
    'digits for a reason',
    () => signers.sendgrid(Buffer.from(JSON.stringify([{ event: 'bounce', reason: fill('5') }]))),
  ],
  [
    'a long event name',
    () => signers.sendgrid(Buffer.from(JSON.stringify([{ event: fill(' _-') }]))),
  ],
  [
    'an unsigned batch',
    () => ({
      ...signers.sendgrid(Buffer.from('[]')),
      body: Buffer.from(`[${fill('{"event":"delivered"},')}{}]`),
    }),
  ],
  [
    'brackets for an address',
    () => signers.sendgrid(Buffer.from(JSON.stringify([{ event: 'open', email: fill('<') }]))),
  ],
  ['a form of nothing', () => ({ ...signers.mandrill('[]'), body: Buffer.from(fill('&')) })],
  ['a form of names', () => ({ ...signers.mandrill('[]'), body: Buffer.from(fill('a&')) })],
  [
    'a form of escapes',
    () => ({ ...signers.mandrill('[]'), body: Buffer.from(`mandrill_events=${fill('%5B')}`) }),
  ],
  ['a signed form of brackets', () => signers.mandrill(fill('['))],
  [
    'an inbound mail of one column',
    () =>
      signers.mandrill(
        JSON.stringify([{ event: 'inbound', msg: { raw_msg: `a: b\n\n${fill('a\n')}` } }]),
      ),
  ],
  [
    'an inbound mail of mails',
    () =>
      signers.mandrill(
        JSON.stringify([
          { event: 'inbound', msg: { raw_msg: fill('Content-Type: message/rfc822\n\n') } },
        ]),
      ),
  ],
  [
    'a thousand inbound mails',
    () =>
      signers.mandrill(
        JSON.stringify(
          Array.from({ length: 1000 }, (_, at) => ({
            event: 'inbound',
            ts: at,
            msg: { raw_msg: `From: a@b.c\n\n${'x '.repeat(400)}` },
          })),
        ),
      ),
  ],
  [
    'a multipart form of boundaries',
    () =>
      signers.sendgrid(Buffer.from(fill(`--${boundary}\r\n`)), multipartType, '/sendgrid/inbound'),
  ],
  [
    'a multipart form of parts',
    () =>
      signers.sendgrid(
        multipart(Array.from({ length: 14_000 }, () => ['a', Buffer.from('b')])),
        multipartType,
        '/sendgrid/inbound',
      ),
  ],
  [
    'a multipart form of dashes',
    () => signers.sendgrid(Buffer.from(fill('-')), multipartType, '/sendgrid/inbound'),
  ],
  [
    'a mail of headers',
    () =>
      signers.sendgrid(
        multipart([
          ['headers', Buffer.from(fill('To: a:;\n'))],
          ['envelope', Buffer.from('{}')],
        ]),
        multipartType,
        '/sendgrid/inbound',
      ),
  ],
  [
    'a mail of addresses',
    () =>
      signers.sendgrid(
        multipart([
          ['headers', Buffer.from(`To: ${fill('a:;,')}`)],
          ['from', Buffer.from(fill('"'))],
        ]),
        multipartType,
        '/sendgrid/inbound',
      ),
  ],
  [
    'a mail of encoded words',
    () =>
      signers.sendgrid(
        multipart([['email', Buffer.from(`Subject: ${fill('=?a?q?')}\r\n\r\n`)]]),
        multipartType,
        '/sendgrid/inbound',
      ),
  ],
  [
    'a mail of parts',
    () =>
      signers.sendgrid(
        multipart([
          [
            'email',
            Buffer.from(
              `Content-Type: multipart/mixed; boundary=b\r\n\r\n${fill('--b\r\n\r\nx\r\n')}`,
            ),
          ],
        ]),
        multipartType,
        '/sendgrid/inbound',
      ),
  ],
  [
    'a mail of references',
    () =>
      signers.sendgrid(
        multipart([['headers', Buffer.from(`References: ${fill('<a@b> ')}`)]]),
        multipartType,
        '/sendgrid/inbound',
      ),
  ],
  [
    'a legacy form of headers',
    () => ({
      path: '/mailgun',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: Buffer.from(
        new URLSearchParams({
          event: 'delivered',
          'message-headers': `[${fill('["a","b"],')}[]]`,
          ...mailgunSignature('costly'),
        }).toString(),
      ),
    }),
  ],
]

// What this file and those before it left behind is collected first, or one of these would be charged for it: a
// collection of half a gigabyte has cost more than the answer.
setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

/** Milliseconds of the processor that it took: machines do other things too. */
async function processorTime(work: () => unknown): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

const ordinary: string = wideBatch(350, 200).toString()

/** What a megabyte of JSON takes of the engine alone, without a line of ours: read, taken apart, written again. */
function readAndWrite(): string {
  const events: object[] = JSON.parse(ordinary)
  return JSON.stringify(events.map((event) => Object.entries(event)))
}

describe('a megabyte of the worst is answered in time', () => {
  test.each(costly)(
    '%s',
    async (_, make) => {
      const request = make()
      collectGarbage()
      const before = await processorTime(readAndWrite)
      const answering = await processorTime(() => post(request))
      const after = await processorTime(readAndWrite)
      // The two take some 90 ms, so that an answer has less than two seconds, and as much longer as the machine is slower.
      expect(answering / (before + after)).toBeLessThan(20)
    },
    oneRun.timeout,
  )
})
