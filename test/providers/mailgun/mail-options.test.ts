import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import nodemailer from 'nodemailer'
import { type MailOptions, SendError } from '../../../src/index.js'
import {
  type MailgunMailOptions,
  mailgunSimulator,
  mailgunTransport,
  type MailgunTransportOptions,
} from '../../../src/providers/mailgun/index.js'
import { type RunningProvider, startProvider } from '../../../src/testing/index.js'

const apiKey = 'key-3ax6xnjp29jd6fds4gc373sgvjxteol0'
const domain = 'mg.example.com'

const bare: MailOptions = { from: 'billing@mg.example.com', to: 'ana@shop.test' }
const simple: MailOptions = { ...bare, subject: 'Invoice', text: 'Hello' }

let provider: RunningProvider

beforeEach(async () => {
  provider = await startProvider(mailgunSimulator({ apiKey, domain }))
})
afterEach(() => provider.close())

const send = (mail: MailOptions, options: MailgunTransportOptions = {}) =>
  nodemailer
    .createTransport(mailgunTransport({ apiKey, domain, baseUrl: provider.url, ...options }))
    .sendMail(mail)

/** The values of every field that arrived, read from the bytes. */
async function arrived(
  mail: MailOptions,
  options: MailgunTransportOptions = {},
): Promise<Record<string, unknown[]>> {
  await send(mail, options)
  const [request, ...others] = provider.requests
  if (!request) throw new Error('no request came')
  expect(others).toEqual([])
  const headers = { 'content-type': request.headers['content-type'] ?? '' }
  const form = await new Response(request.body, { headers }).formData()
  return Object.fromEntries([...form.keys()].map((name) => [name, form.getAll(name)]))
}

/** Why a mail is refused before any call. */
async function refusal(mail: MailOptions): Promise<string> {
  const error: unknown = await send(mail).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof SendError)) throw new Error(`it is no SendError: ${String(error)}`)
  expect(error).toMatchObject({ category: 'validation', outcome: 'not-sent', retryable: false })
  expect(provider.requests).toEqual([])
  return error.message
}

const inHours = (hours: number): Date => new Date(Date.now() + hours * 3600_000)

describe('a template', () => {
  test('goes with its data as JSON, and needs neither a subject nor a text', async () => {
    const templateData = { name: 'Zoë', none: null, zero: 0, off: false, lines: [{ sku: '"7"' }] }
    const form = await arrived({ ...bare, templateId: 'invoice', templateData })
    expect(form).toMatchObject({
      template: ['invoice'],
      't:variables': [
        '{"name":"Zoë","none":null,"zero":0,"off":false,"lines":[{"sku":"\\"7\\""}]}',
      ],
    })
    for (const name of ['subject', 'text', 'html']) expect(form).not.toHaveProperty(name)
    expect(provider.messages).toMatchObject([{ subject: '' }])
  })

  test('goes with a subject and a text where the mail has them', async () => {
    const form = await arrived({ ...simple, templateId: 'invoice' })
    expect(form).toMatchObject({ template: ['invoice'], subject: ['Invoice'], text: ['Hello'] })
  })

  test.each([{}, undefined])('goes without variables where its data is %j', async (given) => {
    const mail = { ...bare, templateId: 'invoice' }
    const form = await arrived(given ? { ...mail, templateData: given } : mail)
    expect(form).not.toHaveProperty('t:variables')
  })

  test.each<[string, MailOptions]>([
    ['templateId', { templateId: 'invoice', html: '<p>Hello</p>' }],
    ['its own field', { html: '<p>Hello</p>', mailgun: { template: 'invoice' } }],
    ['templateId, with HTML in its own field', { templateId: 't', mailgun: { html: '<p></p>' } }],
  ])('by %s is refused together with HTML', async (_, mail) => {
    expect(await refusal({ ...bare, ...mail })).toContain('html or a template')
  })

  test('whose data JSON cannot say is refused', async () => {
    const circle: Record<string, unknown> = {}
    circle['self'] = circle
    for (const templateData of [{ total: 1n }, circle]) {
      expect(await refusal({ ...bare, templateId: 'invoice', templateData })).toContain(
        'templateData (t:variables) cannot be written as JSON',
      )
    }
  })

  test('may be named in its own field, with data beside it', async () => {
    const mail = { ...bare, templateData: { a: 1 }, mailgun: { template: 'invoice' } }
    expect(await arrived(mail)).toMatchObject({ template: ['invoice'], 't:variables': ['{"a":1}'] })
  })

  test('that is missing loses its data, which is told', async () => {
    const mail = { ...simple, templateData: { name: 'Zoë' } }
    expect(await refusal(mail)).toContain('cannot carry templateData without templateId')
    expect(await arrived(mail, { unsupported: 'ignore' })).not.toHaveProperty('t:variables')
  })
})

describe('the time of sending', () => {
  test('goes as a date of RFC 2822', async () => {
    const sendAt = inHours(167)
    const form = await arrived({ ...simple, sendAt })
    expect(form['o:deliverytime']).toEqual([sendAt.toUTCString().replace('GMT', '+0000')])
  })

  test('may be a text, and is in UTC then too', async () => {
    const form = await arrived({ ...simple, sendAt: '2025-10-09T14:00:00+02:00' })
    expect(form['o:deliverytime']).toEqual(['Thu, 09 Oct 2025 12:00:00 +0000'])
  })

  test('over a week ahead is refused', async () => {
    const sendAt = inHours(169)
    expect(await refusal({ ...simple, sendAt })).toBe(
      `Mailgun takes a sendAt of up to 7 days ahead, and not ${sendAt.toISOString()}`,
    )
  })
})

test.each([
  [true, false, ['yes'], ['no']],
  [false, true, ['no'], ['yes']],
])('trackOpens %j and trackClicks %j go as %j and %j', async (opens, clicks, first, second) => {
  expect(await arrived({ ...simple, trackOpens: opens, trackClicks: clicks })).toMatchObject({
    'o:tracking-opens': first,
    'o:tracking-clicks': second,
  })
})

test('nothing is said of tracking, time and templates where the mail says nothing', async () => {
  expect(Object.keys(await arrived(simple)).toSorted()).toEqual([
    'from',
    'h:Message-Id',
    'subject',
    'text',
    'to',
    'v:mailtrail_id',
  ])
})

describe('the own fields', () => {
  // As a program without types gives it.
  const untyped = (name: string, value: unknown): MailOptions =>
    Object.assign({}, simple, { mailgun: Object.fromEntries([[name, value]]) })
  const own = (mailgun: MailgunMailOptions, mail: MailOptions = {}): MailOptions => ({
    ...simple,
    ...mail,
    mailgun,
  })

  test.each<[keyof MailgunMailOptions, MailgunMailOptions, string[]]>([
    ['o:testmode', { 'o:testmode': true }, ['yes']],
    ['o:dkim', { 'o:dkim': false }, ['no']],
    ['o:native-send', { 'o:native-send': true }, ['yes']],
    ['o:tracking', { 'o:tracking': 'htmlonly' }, ['htmlonly']],
    ['o:deliverytime', { 'o:deliverytime': 1_760_011_200 }, ['1760011200']],
    ['o:tag', { 'o:tag': ['invoice', 'eu'] }, ['invoice', 'eu']],
    ['amp-html', { 'amp-html': '<html ⚡4email></html>' }, ['<html ⚡4email></html>']],
    ['h:X-Empty', { 'h:X-Empty': '' }, ['']],
    ['h:X-Count', { 'h:X-Count': 0 }, ['0']],
    ['v:empty', { 'v:empty': '' }, ['']],
    ['v:zero', { 'v:zero': 0 }, ['0']],
    ['v:off', { 'v:off': false }, ['false']],
    ['v:plan', { 'v:plan': { id: 7, parts: ['a'] } }, ['{"id":7,"parts":["a"]}']],
    ['v:list', { 'v:list': ['a', 'b'] }, ['["a","b"]']],
    ['t:variables', { template: 't', 't:variables': { a: 0 } }, ['{"a":0}']],
    ['t:variables', { template: 't', 't:variables': '{"a":0}' }, ['{"a":0}']],
  ])('have %s of %j', async (name, mailgun, expected) => {
    expect((await arrived(own(mailgun)))[name]).toEqual(expected)
  })

  test('may hold one that is not known yet', async () => {
    expect((await arrived(untyped('o:new', false)))['o:new']).toEqual(['no'])
  })

  test('replace what the mail says otherwise', async () => {
    const mail: MailOptions = {
      tags: ['invoice'],
      metadata: { order: '1', shop: 'eu' },
      headers: { 'X-Shop': 'eu' },
      replyTo: 'desk@mg.example.com',
      trackOpens: true,
    }
    const form = await arrived(
      own(
        {
          subject: 'Another',
          text: 'Other text',
          'o:tag': 'other',
          'o:tracking-opens': false,
          'v:order': '2',
          'h:x-shop': 'us',
          'h:REPLY-TO': 'shop@mg.example.com',
        },
        mail,
      ),
    )
    expect(form).toMatchObject({
      subject: ['Another'],
      text: ['Other text'],
      'o:tag': ['other'],
      'o:tracking-opens': ['no'],
      'v:order': ['2'],
      'v:shop': ['eu'],
      'h:X-Shop': ['us'],
      'h:Reply-To': ['shop@mg.example.com'],
    })
    for (const name of ['h:x-shop', 'h:REPLY-TO']) expect(form).not.toHaveProperty(name)
  })

  test('add to the data of a template', async () => {
    const mail = { templateId: 't', templateData: { name: 'Ana', shop: { id: 1, eu: true } } }
    const form = await arrived(own({ 't:variables': { shop: { id: 2 } } }, mail))
    expect(form['t:variables']).toEqual(['{"name":"Ana","shop":{"id":2,"eu":true}}'])
  })

  test('that are undefined change nothing', async () => {
    const mail = { ...untyped('o:tag', undefined), tags: ['t'] }
    expect(await arrived(mail)).toMatchObject({ 'o:tag': ['t'] })
  })

  test.each<[string, MailgunMailOptions]>([
    ['text', { text: 'Hello' }],
    ['amp-html', { 'amp-html': '<html ⚡4email></html>' }],
    ['template', { template: 't' }],
  ])('may have the only content, as %s', async (name, mailgun) => {
    const form = await arrived({ ...bare, subject: 'Invoice', mailgun })
    const content = ['text', 'html', 'amp-html', 'template'].filter((field) => field in form)
    expect(content).toEqual([name])
  })

  test.each([
    ...['from', 'to', 'cc', 'bcc', 'From', 'h:From', 'h:to', 'h:CC', 'h:Bcc'].map((name) => [
      name,
      'from whom and to whom',
    ]),
    ['v:mailtrail_id', 'our id is in it'],
    ['h:X-Mailgun-Variables', 'our id is in it'],
    ['recipient-variables', 'a message for each recipient'],
    ['h:X-Mailgun-Recipient-Variables', 'a message for each recipient'],
    ['h:Subject', 'a field of its own'],
    ['h:Message-Id', 'a field of its own'],
    ['attachment', 'a field of its own'],
    ['inline', 'a field of its own'],
    ['message', 'a field of its own'],
    ['h:Content-Type', 'Mailgun writes this header'],
    ['h:mime-version', 'Mailgun writes this header'],
  ])('may not be %s', async (name, reason) => {
    for (const value of ['x', undefined]) {
      const message = await refusal(untyped(name, value))
      expect(message).toMatch(`mailgun.${name} cannot be used: `)
      expect(message).toContain(reason)
    }
  })

  test.each<[string, unknown, string]>([
    ['o:tag', null, 'must be a text'],
    ['o:tag', ['a', 1], 'must be a text'],
    ['o:dkim', { yes: true }, 'must be a text'],
    ['o:deliverytime', Number.NaN, 'must be a text'],
    ['o:deliverytime', new Date(), 'must be a text'],
    ['v:x', null, 'must be something that JSON can say'],
    ['v:x', () => {}, 'must be something that JSON can say'],
    ['v:x', 1n, 'cannot be written as JSON'],
    ['h:X-Shop', 'eu\r\nBcc: eve@shop.test', 'must be one line'],
    ['h:References', ['<a@b>', '<c@d>\nBcc: eve@shop.test'], 'must be one line'],
    ['subject', 'Invoice\nBcc: eve@shop.test', 'must be one line'],
  ])('may not have %s of %p', async (name, value, reason) => {
    expect(await refusal(untyped(name, value))).toContain(`mailgun.${name} ${reason}`)
  })

  test('are checked for tags like those of the mail', async () => {
    expect(await refusal(own({ 'o:tag': ['größe'] }))).toContain('"größe"')
    expect(await refusal(own({ 'o:tag': Array(11).fill('t') }))).toContain('takes 10 tags')
  })

  test('cannot take away what Mailgun needs', async () => {
    expect(await refusal(own({ subject: '' }))).toContain('needs a subject')
  })

  test('count as metadata for what comes back with events', async () => {
    const variables = { 'v:note': 'x'.repeat(4100) }
    expect(await refusal(own(variables))).toContain('metadata of over 4096 bytes')
  })

  test('are known by their names', () => {
    // @ts-expect-error it is o:tag
    const typo: MailgunMailOptions = { 'o:tags': 'invoice' }
    // @ts-expect-error it is yes, no or htmlonly
    const value: MailgunMailOptions = { 'o:tracking': 'some' }
    expect([typo, value]).toHaveLength(2)
  })
})

describe('options of more than 16 KB', () => {
  const limit = 16 * 1024
  test.each<[string, (filling: string) => MailOptions]>([
    ['headers', (filling) => ({ ...simple, headers: { 'X-Long': filling } })],
    ['template data', (a) => ({ ...bare, templateId: 't', templateData: { a } })],
    ['own fields', (filling) => ({ ...simple, mailgun: { 'o:archive-to': filling } })],
  ])('in %s are refused, with their size', async (_, mail) => {
    const messageId = '<m-1@mg.example.com>'
    const sized = (size: number) => refusal({ ...mail('x'.repeat(size)), messageId })
    const [, size] =
      /takes 16384 bytes .* together, and these are (\d+)$/.exec(await sized(limit)) ?? []
    const over = Number(size) - limit
    expect(over).toBeGreaterThan(0)
    expect(await sized(limit - over + 1)).toContain(`these are ${limit + 1}`)
    await send({ ...mail('x'.repeat(limit - over)), messageId })
    expect(provider.messages).toHaveLength(1)
  })

  test('are counted in bytes', async () => {
    const mail = { ...simple, mailgun: { 'o:archive-to': 'ü'.repeat(limit / 2) } }
    expect(await refusal(mail)).toContain('takes 16384 bytes')
  })
})

test('the object of the caller stays as it was', async () => {
  const mail = (): MailOptions => ({
    ...bare,
    templateId: ' invoice ',
    templateData: { name: 'Ana', shop: { id: 1 }, lines: [{ sku: '7' }] },
    sendAt: new Date('2025-10-09T12:00:00Z'),
    trackOpens: false,
    trackClicks: true,
    headers: { 'X-Shop': 'eu' },
    mailgun: {
      'h:x-shop': 'us',
      'o:tag': ['a', 'b'],
      't:variables': { shop: { name: 'Acme' } },
      'v:plan': { id: 7 },
    },
  })
  const given = mail()
  await send(given)
  expect(given).toEqual(mail())
})
