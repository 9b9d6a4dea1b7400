import { afterEach, describe, expect, test } from '@jest/globals'
import nodemailer from 'nodemailer'
import {
  createCorrelator,
  memoryStore,
  querySecret,
  type RefusalReason,
} from '../../../src/index.js'
import {
  sendgridSimulator,
  sendgridTransport,
  sendgridWebhook,
} from '../../../src/providers/sendgrid/index.js'
import { startProvider } from '../../../src/testing/index.js'
import { startEndpoint } from '../../endpoint.js'
import { outsideWebhook } from '../../outside-provider.js'
import { collectTold } from '../../told-events.js'
import { capturedAt } from './captured.js'
import { fieldsForm, formType, inboundForm, reply } from './inbound-form.js'
import { apiKey, mail } from './sending.js'
import { newKeys, signedHeaders } from './signing.js'

const closers: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

const policy = newKeys()
const megabyte = 1024 * 1024

/**
 * A correlator behind a socket that takes inbound mail signed by a policy, and, under another name,
 * mail with a secret in its URL.
 */
async function start() {
  const simulator = sendgridSimulator({ apiKey })
  const { publicKey } = simulator
  const correlator = createCorrelator({
    store: memoryStore(),
    webhooks: [
      sendgridWebhook({ publicKey, inbound: { publicKey: policy.publicKey } }),
      sendgridWebhook({
        name: 'guarded',
        publicKey,
        inbound: { guards: [querySecret('s3cr3t')], maxBodyBytes: megabyte },
      }),
      outsideWebhook(),
    ],
  })
  const endpoint = await startEndpoint(correlator.nodeHandler)
  const provider = await startProvider(simulator)
  closers.push(
    () => correlator.close(),
    () => endpoint.close(),
    () => provider.close(),
  )
  const transport = sendgridTransport({ apiKey, baseUrl: provider.url, correlator })
  const told = collectTold(correlator)
  const refusals: RefusalReason[] = []
  correlator.on('refused', ({ reason }) => void refusals.push(reason))
  return {
    correlator,
    told,
    refusals,
    url: endpoint.url,
    transporter: nodemailer.createTransport(transport),
    /** Posts a form as SendGrid does, signed by the policy. */
    async receive(body: Buffer): Promise<number> {
      const status = await post(`${endpoint.url}/hooks/sendgrid/inbound`, signed(body), body)
      await correlator.drain()
      return status
    },
  }
}

const signed = (
  body: Buffer,
  { privateKey } = policy,
  contentType = formType,
): Record<string, string> => ({
  ...signedHeaders(privateKey, body),
  'content-type': contentType,
})

async function post(url: string, headers: Record<string, string>, body: Buffer): Promise<number> {
  const response = await fetch(url, { method: 'POST', headers, body: new Uint8Array(body) })
  await response.text()
  return response.status
}

const parsed = fieldsForm(reply)
const raw = fieldsForm({ email: `${reply.headers}\n${reply.text}`, envelope: reply.envelope })
const formats: [string, Buffer][] = [
  ['parsed', parsed],
  ['raw', raw],
]

describe.each(formats)('a %s mail', (_, body) => {
  test.each<[string, Buffer, Record<string, string>, number, RefusalReason | undefined]>([
    ['signed', body, signed(body), 200, undefined],
    ['signed by somebody else', body, signed(body, newKeys()), 403, 'bad-signature'],
    ['unsigned', body, { 'content-type': formType }, 403, 'unsigned'],
    ['cut at its end', body.subarray(0, -2), signed(body), 403, 'truncated'],
    ['broken off', body.subarray(0, 200), signed(body.subarray(0, 200)), 400, 'malformed'],
    ['sent as JSON', body, signed(body, policy, 'application/json'), 415, 'unsupported'],
  ])('that is %s is answered as SendGrid needs it', async (__, sent, headers, status, reason) => {
    const { url, correlator, told, refusals } = await start()
    await expect(post(`${url}/hooks/sendgrid/inbound`, headers, sent)).resolves.toBe(status)
    await correlator.drain()
    expect(refusals).toEqual(reason === undefined ? [] : [reason])
    expect(told.map(({ event }) => event.type)).toEqual(reason === undefined ? ['inbound'] : [])
  })

  test('is refused when it is too large', async () => {
    const { url, correlator, told, refusals } = await start()
    const large = Buffer.concat([body, Buffer.alloc(2 * megabyte)])
    const address = `${url}/guarded/inbound?secret=s3cr3t`
    await expect(post(address, { 'content-type': formType }, large)).resolves.toBe(413)
    await correlator.drain()
    expect([refusals, told]).toEqual([['too-large'], []])
  })

  test.each<[string, string, number, RefusalReason | undefined]>([
    ['with it', '?secret=s3cr3t', 200, undefined],
    ['without it', '', 403, 'wrong-secret'],
    ['with another', '?secret=guess', 403, 'wrong-secret'],
  ])('is asked for the secret, where there is one: %s', async (__, query, status, reason) => {
    const { url, correlator, told, refusals } = await start()
    const headers = { 'content-type': formType }
    const address = `${url}/guarded/inbound${query}`
    await expect(post(address, headers, body)).resolves.toBe(status)
    await correlator.drain()
    expect(refusals).toEqual(reason === undefined ? [] : [reason])
    expect(told).toHaveLength(reason === undefined ? 1 : 0)
  })
})

test.each(capturedAt('/inbound'))('the captured $name is told at once', async (captured) => {
  const { told, receive } = await start()
  await expect(receive(captured.body)).resolves.toBe(200)
  expect(told).toMatchObject([
    { event: { type: 'inbound', provider: 'sendgrid', correlation: { status: 'foreign' } } },
  ])
  expect(told).toMatchObject([{ message: undefined }])
  for (const { event } of told) expect(event.occurredAt).toEqual(event.receivedAt)
})

test('what was posted beside a mail is typed', async () => {
  const { correlator, receive } = await start()
  const senders: (string | undefined)[] = []
  correlator.on('inbound', (event) => {
    if (event.provider === 'sendgrid') senders.push(event.raw.sender_ip)
  })
  await receive(fieldsForm({ ...reply, sender_ip: '203.0.113.5' }))
  expect(senders).toEqual(['203.0.113.5'])
})

test('a mail that is posted three times is told once', async () => {
  const { told, receive } = await start()
  for (let time = 0; time < 3; time += 1) await expect(receive(parsed)).resolves.toBe(200)
  expect(told).toHaveLength(1)
})

test('a mail of 30 MB is taken over a socket, as it is and chunked', async () => {
  const { url, told, receive, correlator } = await start()
  const file = { name: 'attachment1', filename: 'a.bin', type: 'application/octet-stream' }
  const of = (text: string) =>
    inboundForm(
      { ...file, value: Buffer.alloc(30 * megabyte, text) },
      ...Object.entries(reply).map(([name, value]) => ({ name, value })),
    )
  await expect(receive(of('whole'))).resolves.toBe(200)
  const body = of('chunked')
  const response = await fetch(`${url}/hooks/sendgrid/inbound`, {
    method: 'POST',
    headers: signed(body),
    body: new Blob([new Uint8Array(body)]).stream(),
    duplex: 'half',
  })
  expect(response.status).toBe(200)
  await correlator.drain()
  expect(told).toHaveLength(2)
}, 60_000)

describe('a reply finds the message that it answers', () => {
  const headersOf = (more: string) => `${reply.headers}${more}\n`

  test.each<[string, (ids: Ids) => Record<string, string>, string]>([
    [
      'by In-Reply-To',
      ({ messageId }) => ({ headers: headersOf(`In-Reply-To: ${messageId}`) }),
      'message-id',
    ],
    [
      'by References',
      ({ messageId }) => ({
        headers: headersOf(
          `In-Reply-To: <other@x>\nReferences: <first@x>\n ${messageId}\n <other@x>`,
        ),
      }),
      'message-id',
    ],
    [
      'by the address that it went to',
      ({ trackingId }) => ({
        envelope: JSON.stringify({
          to: [`reply+${trackingId}@in.example.com`],
          from: 'ann@example.com',
        }),
      }),
      'own-id',
    ],
    [
      "by SendGrid's own Message-ID, which it had given the message in place of ours",
      ({ providerMessageId }) => ({
        headers: headersOf(`In-Reply-To: <${providerMessageId}@geopod-ismtpd-8>`),
      }),
      'provider-id',
    ],
    [
      "by SendGrid's own Message-ID among others",
      ({ providerMessageId }) => ({
        headers: headersOf(
          `References: <${providerMessageId}@ismtpd0039p1iad1.sendgrid.net> <other@x>`,
        ),
      }),
      'provider-id',
    ],
  ])('%s', async (_, answering, via) => {
    const { transporter, correlator, told, receive } = await start()
    const info = await transporter.sendMail(mail)
    await transporter.sendMail({ ...mail, subject: 'another one' })
    const { trackingId, messageId, providerMessageId = '' } = info
    const fields = { ...reply, ...answering({ trackingId, messageId, providerMessageId }) }
    await expect(receive(fieldsForm(fields))).resolves.toBe(200)
    const correlation = { status: 'matched', via }
    expect(told).toMatchObject([
      {
        event: { type: 'inbound', trackingId, correlation },
        message: { trackingId, subject: 'Your order' },
      },
    ])
    // That somebody answered says nothing of the delivery.
    await expect(correlator.message(trackingId)).resolves.toMatchObject({
      status: 'accepted',
      recipients: [{ address: 'ann@example.com' }],
    })
  })

  interface Ids {
    trackingId: string
    messageId: string
    providerMessageId: string
  }

  test('whole as well as parsed', async () => {
    const { transporter, told, receive } = await start()
    const { trackingId, messageId } = await transporter.sendMail(mail)
    const email = `${headersOf(`In-Reply-To: ${messageId}`)}\nThanks`
    await expect(receive(fieldsForm({ email, envelope: reply.envelope }))).resolves.toBe(200)
    expect(told).toMatchObject([{ event: { trackingId, mail: { inReplyTo: messageId } } }])
  })

  test('that went out through another provider', async () => {
    const { correlator, told, receive } = await start()
    const trackingId = await correlator.record({
      provider: 'outside',
      providerMessageId: 'o-1',
      messageId: '<outside@example.com>',
      recipients: ['ann@example.com'],
    })
    const headers = headersOf('In-Reply-To: <outside@example.com>')
    await expect(receive(fieldsForm({ ...reply, headers }))).resolves.toBe(200)
    expect(told).toMatchObject([
      {
        event: { trackingId, correlation: { status: 'matched', via: 'message-id' } },
        message: { provider: 'outside' },
      },
    ])
  })
})
