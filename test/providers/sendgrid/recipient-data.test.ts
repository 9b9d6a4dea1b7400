import { afterEach, describe, expect, test } from '@jest/globals'
import nodemailer from 'nodemailer'
import {
  createCorrelator,
  type MailOptions,
  memoryStore,
  SendError,
  type SentInfo,
} from '../../../src/index.js'
import {
  sendgridSimulator,
  sendgridTransport,
  sendgridWebhook,
} from '../../../src/providers/sendgrid/index.js'
import type { SendgridRequest } from '../../../src/providers/sendgrid/request.js'
import { type ApiFailure, startProvider, type StartOptions } from '../../../src/testing/index.js'
import { startEndpoint } from '../../endpoint.js'
import { collectErrors, collectTold } from '../../told-events.js'
import { apiKey, mail } from './sending.js'

const dynamicId = 'd-0123456789abcdef0123456789abcdef'
const legacyId = '13b8f94f-bcae-4ec6-b752-70d6cb59f932'

const closers: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

/** A correlator behind a socket, and a simulated SendGrid that takes messages and posts to it. */
async function start(script: StartOptions['script'] = () => []) {
  const simulator = sendgridSimulator({ apiKey })
  const correlator = createCorrelator({
    store: memoryStore(),
    webhooks: [sendgridWebhook({ publicKey: simulator.publicKey })],
    foreignAfter: 0,
  })
  const endpoint = await startEndpoint(correlator.nodeHandler)
  const provider = await startProvider(simulator, {
    webhookUrl: `${endpoint.url}/sendgrid`,
    script,
  })
  closers.push(
    () => correlator.close(),
    () => endpoint.close(),
    () => provider.close(),
  )
  const transport = sendgridTransport({ apiKey, baseUrl: provider.url, correlator, retries: 0 })
  const transporter = nodemailer.createTransport(transport)
  const bodies = (): SendgridRequest[] =>
    provider.requests.map(({ body }) => JSON.parse(body.toString('utf8')))
  return { provider, correlator, transporter, bodies }
}

/** The personalizations of a mail with these options, and the id that it was sent under. */
async function personalizationsOf(options: MailOptions) {
  const { transporter, bodies } = await start()
  const { trackingId } = await transporter.sendMail({ ...mail, ...options })
  return { trackingId, personalizations: bodies().flatMap((body) => body.personalizations) }
}

/** Why a mail with these options is refused, before SendGrid is asked. */
async function refusal(options: MailOptions): Promise<string> {
  const { provider, transporter } = await start()
  const error: unknown = await transporter
    .sendMail({ ...mail, to: 'ann@example.com, bob@example.com', ...options })
    .catch((reason: unknown) => reason)
  if (!(error instanceof SendError)) throw new Error('it was not refused with a SendError')
  expect(error).toMatchObject({ category: 'validation', retryable: false, outcome: 'not-sent' })
  expect(error.message).not.toMatch(/ann@|bob@/)
  expect(provider.requests).toEqual([])
  return error.message
}

const everybody = {
  to: ['Ann Ö <Ann@example.com>', 'bob@bücher.example'],
  cc: 'carl@example.com',
  bcc: 'audit@example.com',
}

describe('a message for each recipient', () => {
  test('has a personalization for each, in which nobody else stands', async () => {
    const { trackingId, personalizations } = await personalizationsOf({
      ...everybody,
      templateId: dynamicId,
      templateData: { name: 'you', shop: { name: 'Shop', open: true } },
      metadata: { order: '42', customerID: 'none' },
      recipientData: {
        'ANN@example.com': { data: { name: 'Ann' }, metadata: { customerID: 'c-1' } },
        'bob@xn--bcher-kva.example': { data: { shop: { name: 'Laden' } } },
        'audit@example.com': { metadata: { copy: 'yes' } },
      },
    })
    const shop = { name: 'Shop', open: true }
    const args = { order: '42', customerID: 'none', mailtrail_id: trackingId }
    expect(personalizations).toStrictEqual([
      {
        to: [{ email: 'Ann@example.com', name: 'Ann Ö' }],
        dynamic_template_data: { name: 'Ann', shop },
        custom_args: { ...args, customerID: 'c-1' },
      },
      {
        to: [{ email: 'bob@xn--bcher-kva.example' }],
        dynamic_template_data: { name: 'you', shop: { name: 'Laden' } },
        custom_args: args,
      },
      {
        to: [{ email: 'carl@example.com' }],
        dynamic_template_data: { name: 'you', shop },
        custom_args: args,
      },
      {
        to: [{ email: 'audit@example.com' }],
        dynamic_template_data: { name: 'you', shop },
        custom_args: { ...args, copy: 'yes' },
      },
    ])
  })

  test('is what they get even when nothing differs, and when nobody stands in to', async () => {
    const { personalizations } = await personalizationsOf({
      ...everybody,
      to: undefined,
      recipientData: {},
    })
    expect(personalizations.map(({ to, cc, bcc }) => ({ to, cc, bcc }))).toEqual([
      { to: [{ email: 'carl@example.com' }] },
      { to: [{ email: 'audit@example.com' }] },
    ])
  })

  test.each([
    ['a template of the legacy kind', { templateId: legacyId }],
    ['no template', {}],
  ])('with %s is filled with texts', async (_, template) => {
    const { personalizations } = await personalizationsOf({
      ...template,
      to: ['ann@example.com', 'bob@example.com', 'carl@example.com'],
      templateData: { name: 'you', '-shop-': 'Shop' },
      recipientData: {
        'ann@example.com': { data: { name: 'Ann', paid: true } },
        'bob@example.com': { data: { '{{name}}': 'Bob', '-count-': 2 } },
      },
    })
    expect(personalizations.map(({ substitutions }) => substitutions)).toEqual([
      { '{{name}}': 'Ann', '-shop-': 'Shop', '{{paid}}': 'true' },
      { '{{name}}': 'Bob', '-shop-': 'Shop', '-count-': '2' },
      { '{{name}}': 'you', '-shop-': 'Shop' },
    ])
    expect(personalizations.some((one) => 'dynamic_template_data' in one)).toBe(false)
  })

  test('has headers of its own, spelled as those of the message that they replace', async () => {
    const { transporter, provider, bodies } = await start()
    await transporter.sendMail({
      ...mail,
      to: ['ann@example.com', 'bob@example.com'],
      headers: { 'X-Order': '42' },
      list: { unsubscribe: 'https://example.com/u' },
      recipientData: {
        'ann@example.com': {
          headers: {
            'list-unsubscribe': '<https://example.com/u/ann>',
            'x-order': '43',
            'X-Place': 'Köln',
            Authorization: 'Bearer stolen',
            'Content-Encoding': 'gzip',
          },
        },
      },
    })
    const [body] = bodies()
    expect(body?.headers).toMatchObject({
      'X-Order': '42',
      'List-Unsubscribe': '<https://example.com/u>',
    })
    expect(body?.personalizations.map(({ headers }) => headers)).toEqual([
      {
        'List-Unsubscribe': '<https://example.com/u/ann>',
        'X-Order': '43',
        'X-Place': '=?UTF-8?Q?K=C3=B6ln?=',
        Authorization: 'Bearer stolen',
        'Content-Encoding': 'gzip',
      },
      undefined,
    ])
    const [request] = provider.requests
    expect(request?.headers).toMatchObject({ authorization: `Bearer ${apiKey}` })
    for (const name of ['x-order', 'x-place', 'list-unsubscribe', 'content-encoding']) {
      expect(request?.headers).not.toHaveProperty(name)
    }
  })

  test('leaves what the caller gave as it was', async () => {
    const given = () => ({
      ...mail,
      ...everybody,
      templateId: dynamicId,
      templateData: { shop: { name: 'Shop' } },
      metadata: { order: '42' },
      recipientData: {
        'ann@example.com': {
          data: { items: [{ id: 1 }] },
          metadata: { customer: '1' },
          headers: { 'X-Order': '43' },
        },
      },
    })
    const { transporter } = await start()
    const options = given()
    await transporter.sendMail(options)
    expect(options).toStrictEqual(given())
  })
})

describe('recipientData is refused', () => {
  const forBob = (entry: object): MailOptions => ({ recipientData: { 'bob@example.com': entry } })

  test.each(['X-SG-ID', 'x-sg-eid', 'X-SMTPAPI'])('with the header %s', async (name) => {
    expect(await refusal(forBob({ headers: { [name]: 'x' } }))).toMatch(
      new RegExp(`cannot carry the header ${name}: `),
    )
  })

  test('with a header twice', async () => {
    const headers = { 'X-Order': '42', 'x-order': '43' }
    expect(await refusal(forBob({ headers }))).toMatch(/recipientData has the header x-order twice/)
  })

  test('with metadata that SendGrid writes itself', async () => {
    expect(await refusal(forBob({ metadata: { sg_order: '42' } }))).toMatch(/writes sg_order into/)
  })

  test('with metadata that is over 10,000 bytes together with that of the message', async () => {
    const metadata = { a: 'x'.repeat(6000) }
    const options = { metadata, ...forBob({ metadata: { b: 'x'.repeat(6000) } }) }
    expect(await refusal(options)).toMatch(/takes 10000 bytes of metadata.* these are 12\d\d\d$/)
  })

  test('with data over 10,000 bytes with that of the message, where no template takes more', async () => {
    const templateData = { a: 'x'.repeat(6000) }
    const options = { templateData, ...forBob({ data: { b: 'x'.repeat(6000) } }) }
    expect(await refusal(options)).toMatch(/takes 10000 bytes of templateData.* are 12\d\d\d$/)
  })

  test('with data that no legacy template takes, and it is said whose', async () => {
    const options = { templateId: legacyId, ...forBob({ data: { items: [1] } }) }
    expect(await refusal(options)).toMatch(/^recipientData\.data\.items must be a text/)
  })

  test('with data that is no JSON', async () => {
    const options = { templateId: dynamicId, ...forBob({ data: { big: 1n } }) }
    expect(await refusal(options)).toMatch(/^recipientData\.data cannot be written as JSON/)
  })
})

const addressOf = (index: number) => `reader-${index}@example.com`

/** A message for so many, each with a number of its own. */
const letterTo = (count: number): MailOptions => {
  const addresses = Array.from({ length: count }, (_, index) => addressOf(index))
  return {
    ...mail,
    to: addresses,
    templateId: dynamicId,
    metadata: { letter: 'spring', number: 'none' },
    recipientData: Object.fromEntries(
      addresses.map((address, index) => [
        address,
        { data: { number: index }, metadata: { number: String(index) } },
      ]),
    ),
  }
}

describe('the calls', () => {
  test.each([
    [1, [1]],
    [2, [2]],
    [1000, [1000]],
    [1001, [1000, 1]],
    [2500, [1000, 1000, 500]],
  ])('of a message for %i recipients are for %j of them', async (count, sizes) => {
    const { provider, transporter, bodies } = await start()
    const info = await transporter.sendMail(letterTo(count))
    const sent = bodies()
    expect(sent.map(({ personalizations }) => personalizations.length)).toEqual(sizes)
    expect(sent.flatMap(({ personalizations }) => personalizations)).toEqual(
      Array.from({ length: count }, (_, index) => ({
        to: [{ email: addressOf(index) }],
        dynamic_template_data: { number: index },
        custom_args: {
          letter: 'spring',
          number: String(index),
          mailtrail_id: info.trackingId,
        },
      })),
    )
    const ids = provider.messages.map(({ id }) => id)
    expect(new Set(ids).size).toBe(sizes.length)
    expect(info.accepted).toHaveLength(count)
    expect(info.rejected).toEqual([])
    expect(info.providerMessageId).toBe(ids[0])
    expect(info.response).toBe('202 Accepted')
    expect(info.recipients.map(({ address }) => address)).toEqual(info.accepted)
    if (sizes.length > 1) {
      expect(info.recipients.map(({ providerMessageId }) => providerMessageId)).toEqual(
        ids.flatMap((id, call) => Array.from({ length: sizes[call] ?? 0 }, () => id)),
      )
    }
  })

  test('are made for no message that is one for all: too many recipients stay an error', async () => {
    const { recipientData: _recipientData, ...letter } = letterTo(1001)
    expect(await refusal(letter)).toMatch(/1000 recipients at once, and these are 1001$/)
  })

  test('are none at all when what is to go in the last is refused', async () => {
    const letter = letterTo(1001)
    const last = { [addressOf(1000)]: { metadata: { sg_x: 'x' } } }
    const options = { ...letter, recipientData: { ...letter.recipientData, ...last } }
    expect(await refusal(options)).toMatch(/writes sg_x into/)
  })
})

describe('the events', () => {
  // The first and the last of each call.
  const told = [0, 999, 1000, 1999, 2000, 2499]

  test.each([
    ['own-id', false],
    ['provider-id', true],
  ])('of every call find the one message by the %s', async (via, withoutOwnId) => {
    const { provider, correlator, transporter } = await start()
    const events = collectTold(correlator)
    const errors = collectErrors(correlator)
    const { trackingId } = await transporter.sendMail(letterTo(2500))
    for (const message of provider.messages) {
      const [first, last] = [message.recipients[0], message.recipients.at(-1)]
      const delivered = [first?.address ?? '', last?.address ?? ''].map(
        (recipient) => ({ type: 'delivered', recipient, withoutOwnId }) as const,
      )
      await provider.post(message, { events: delivered })
    }
    await correlator.drain()
    expect(errors).toEqual([])
    expect(events.map(({ event }) => event)).toEqual(
      told.map((number, index) =>
        expect.objectContaining({
          type: 'delivered',
          recipient: addressOf(number),
          trackingId,
          providerMessageId: provider.messages[Math.floor(index / 2)]?.id,
          correlation: { status: 'matched', via },
          metadata: withoutOwnId ? {} : { letter: 'spring', number: String(number) },
        }),
      ),
    )
    const message = await correlator.message(trackingId)
    const delivered = message?.recipients.filter(({ status }) => status === 'delivered')
    expect(delivered?.map(({ address }) => address)).toEqual(told.map(addressOf))
    expect(new Set(message?.recipients.map(({ status }) => status))).toEqual(
      new Set(['delivered', 'accepted']),
    )
  })
})

describe('a failure of the second call', () => {
  async function sent(failure: ApiFailure) {
    let calls = 0
    const started = await start(() => {
      calls += 1
      if (calls === 1) started.provider.failNext(failure)
      return []
    })
    const { provider, correlator, transporter } = started
    const info = await transporter.sendMail(letterTo(2500))
    const message = await correlator.message(info.trackingId)
    return { provider, info, message }
  }

  const statusesOf = ({ recipients }: Pick<SentInfo, 'recipients'>) =>
    [0, 1000, 2000].map((begin) => [
      ...new Set(recipients.slice(begin, begin + 1000).map(({ status }) => status)),
    ])
  const from = (begin: number, end: number) =>
    Array.from({ length: end - begin }, (_, index) => addressOf(begin + index))

  test('leaves those of the first accepted, and the rest failed', async () => {
    const { provider, info, message } = await sent({ kind: 'answer', status: 503 })
    expect(provider.requests).toHaveLength(2)
    expect(statusesOf(info)).toEqual([['accepted'], ['failed'], ['failed']])
    expect(info.accepted).toEqual(from(0, 1000))
    expect(info.rejected).toEqual(from(1000, 2500))
    expect(info.pending).toEqual([])
    expect(info.recipients[0]?.providerMessageId).toBe(provider.messages[0]?.id)
    expect(info.recipients[1000]?.reason).toMatch(/^SendGrid answered 503/)
    expect(info.recipients[2499]?.reason).toMatch(/^not sent, for an earlier call of it failed/)
    expect(message?.failFlag).toBe(false)
    expect(message?.recipients.map(({ status }) => status)).toEqual(
      info.recipients.map(({ status }) => status),
    )
  })

  test('that nobody knows the outcome of leaves its recipients pending', async () => {
    const { provider, info } = await sent({ kind: 'cut' })
    expect(provider.requests).toHaveLength(2)
    expect(statusesOf(info)).toEqual([['accepted'], ['unknown'], ['failed']])
    expect(info.pending).toEqual(from(1000, 2000))
    expect(info.rejected).toEqual(from(2000, 2500))
  })
})
