import { describe, expect, test } from '@jest/globals'
import { fields } from '../../../src/payload.js'
import type { MandrillMailOptions } from '../../../src/providers/mandrill/index.js'
import type { RunningProvider } from '../../../src/testing/index.js'
import type { MailOptions } from '../../../src/transporter.js'
import {
  apiKey,
  failureOf,
  lastCall,
  lastMessage,
  mail,
  startMandrill,
  transporterTo,
} from './sending.js'

/** The provider after a mail with these was sent to it. */
async function sent(changes: MailOptions): Promise<RunningProvider> {
  const provider = await startMandrill()
  await transporterTo(provider).sendMail(mail(changes))
  return provider
}

const messageSent = async (changes: MailOptions): Promise<unknown> =>
  lastMessage(await sent(changes))

/** What a mail with these is refused with, before anything goes out. */
async function refusalOf(changes: object): Promise<string> {
  const provider = await startMandrill()
  const error = await failureOf(transporterTo(provider).sendMail({ ...mail(), ...changes }))
  expect(error).toMatchObject({ category: 'validation', outcome: 'not-sent', retryable: false })
  expect(error.statusCode).toBeUndefined()
  expect(provider.requests).toHaveLength(0)
  return error.message
}

const inHours = (hours: number): Date => new Date(Date.now() + hours * 3_600_000)

describe('a template', () => {
  test('goes to its own call, and the message says nothing in place of it', async () => {
    const provider = await startMandrill()
    const info = await transporterTo(provider).sendMail({
      from: 'shop@example.com',
      to: 'ann@example.org',
      templateId: 'order-shipped',
    })
    expect(provider.requests.map(({ path }) => path)).toEqual(['/api/1.3/messages/send-template'])
    expect(lastCall(provider)).toEqual({
      key: apiKey,
      template_name: 'order-shipped',
      template_content: [],
      message: {
        from_email: 'shop@example.com',
        to: [{ email: 'ann@example.org', type: 'to' }],
        preserve_recipients: true,
        headers: { 'Message-Id': info.messageId },
        metadata: { mailtrail_id: info.trackingId },
      },
    })
    expect(info.accepted).toEqual(['ann@example.org'])
  })

  test('goes beside what the message says itself', async () => {
    const provider = await sent({ templateId: 'order-shipped', html: '<p>Hi</p>' })
    expect(lastCall(provider)).toMatchObject({
      template_name: 'order-shipped',
      message: { subject: 'Your order', text: 'Hello', html: '<p>Hi</p>' },
    })
  })

  test('can have its regions filled', async () => {
    const template_content = [{ name: 'main', content: '<p>Hi</p>' }]
    const provider = await sent({ templateId: 'order-shipped', mandrill: { template_content } })
    expect(lastCall(provider)).toMatchObject({ template_content })
  })

  test('that is missing has no regions to fill', async () => {
    expect(await refusalOf({ mandrill: { template_content: [] } })).toBe(
      'mandrill.template_content cannot be given without a templateId',
    )
  })

  test('that Mandrill does not know is a fault of the message', async () => {
    const provider = await startMandrill()
    const error = await failureOf(transporterTo(provider).sendMail(mail({ templateId: 'unknown' })))
    expect(error).toMatchObject({ category: 'validation', outcome: 'not-sent', statusCode: 404 })
    expect(error.message).toContain('Unknown_Template: No such template "unknown"')
  })

  test('is not needed for an ordinary send call', async () => {
    const provider = await sent({})
    expect(provider.requests.map(({ path }) => path)).toEqual(['/api/1.3/messages/send'])
    expect(Object.keys(fields(lastCall(provider))).toSorted()).toEqual(['key', 'message'])
  })
})

describe('templateData', () => {
  test('fills the text or the template for all recipients', async () => {
    const templateData = { name: 'Zoë', count: 3, gift: false, note: null, none: undefined }
    expect(await messageSent({ templateData })).toMatchObject({
      global_merge_vars: [
        { name: 'name', content: 'Zoë' },
        { name: 'count', content: 3 },
        { name: 'gift', content: false },
        { name: 'note', content: '' },
      ],
    })
  })

  test.each([[{}], [{ none: undefined }]])('of %j is not sent', async (templateData) => {
    const message = await messageSent({ templateData })
    expect(message).not.toHaveProperty('global_merge_vars')
    expect(message).not.toHaveProperty('merge_language')
  })

  test('may hold objects in the language of handlebars', async () => {
    const templateData = { items: [{ title: 'Cup' }], buyer: { name: 'Ann' } }
    const mandrill: MandrillMailOptions = { message: { merge_language: 'handlebars' } }
    expect(await messageSent({ templateData, mandrill })).toMatchObject({
      merge_language: 'handlebars',
      global_merge_vars: [
        { name: 'items', content: [{ title: 'Cup' }] },
        { name: 'buyer', content: { name: 'Ann' } },
      ],
    })
  })

  const circle: Record<string, unknown> = {}
  circle['self'] = circle
  const mailchimp = { mandrill: { message: { merge_language: 'mailchimp' } } }
  const handlebars = { mandrill: { message: { merge_language: 'handlebars' } } }

  test.each<[string, object, string]>([
    [
      'a name with _ in front',
      { templateData: { a: '1', _b: '2' } },
      'Mandrill takes no templateData whose name begins with _: _b',
    ],
    [
      'a name in two spellings',
      { templateData: { Name: '1', name: '2' } },
      'Mandrill takes templateData.Name and templateData.name for the same',
    ],
    [
      'an object',
      { templateData: { buyer: {} } },
      "templateData.buyer is an object, which Mandrill takes with mandrill.message.merge_language 'handlebars' only",
    ],
    [
      'a list in the language of Mailchimp',
      { templateData: { items: [] }, ...mailchimp },
      "templateData.items is an object, which Mandrill takes with mandrill.message.merge_language 'handlebars' only",
    ],
    [
      'a function',
      { templateData: { f: () => '' }, ...handlebars },
      'templateData.f cannot be written as JSON',
    ],
    ['a bigint', { templateData: { n: 1n } }, 'templateData cannot be written as JSON'],
    [
      'a circle',
      { templateData: { circle }, ...handlebars },
      'templateData cannot be written as JSON',
    ],
  ])('with %s is refused', async (_, changes, message) => {
    expect(await refusalOf(changes)).toBe(message)
  })
})

describe('sendAt', () => {
  test('is told in UTC, and what is scheduled is accepted', async () => {
    const provider = await startMandrill()
    const sendAt = inHours(24)
    const info = await transporterTo(provider).sendMail(mail({ sendAt, cc: 'bob@example.org' }))
    expect(lastCall(provider)).toHaveProperty(
      'send_at',
      sendAt.toISOString().slice(0, 19).replace('T', ' '),
    )
    expect(info).toMatchObject({
      accepted: ['ann@example.org', 'bob@example.org'],
      rejected: [],
      pending: [],
      response: 'scheduled',
      recipients: [
        { status: 'accepted', providerStatus: 'scheduled' },
        { status: 'accepted', providerStatus: 'scheduled' },
      ],
    })
  })

  test('that is past sends at once', async () => {
    const provider = await startMandrill()
    const info = await transporterTo(provider).sendMail(mail({ sendAt: '2020-01-01T00:00:00Z' }))
    expect(lastCall(provider)).toHaveProperty('send_at', '2020-01-01 00:00:00')
    expect(info.response).toBe('sent')
  })

  test('of more than a year ahead is refused', async () => {
    expect(await refusalOf({ sendAt: inHours(367 * 24) })).toMatch(/^sendAt is .* one year ahead/)
  })

  test('is a matter of payment, which the account may lack', async () => {
    const provider = await startMandrill()
    const body = JSON.stringify({ status: 'error', code: 10, name: 'PaymentRequired', message: '' })
    const headers = { 'content-type': 'application/json' }
    provider.failNext({ kind: 'answer', status: 402, body, headers })
    const sending = transporterTo(provider).sendMail(mail({ sendAt: inHours(1) }))
    expect(await failureOf(sending)).toMatchObject({
      category: 'rejected',
      retryable: false,
      outcome: 'not-sent',
      statusCode: 402,
    })
  })
})

describe('tracking', () => {
  test.each<[MailOptions, object]>([
    [{ trackOpens: true }, { track_opens: true }],
    [{ trackOpens: false }, { track_opens: false }],
    [{ trackClicks: true }, { track_clicks: true }],
    [{ trackClicks: false }, { track_clicks: false }],
    [
      { trackOpens: true, trackClicks: false },
      { track_opens: true, track_clicks: false },
    ],
    [{}, {}],
  ])('of %j is sent as %j', async (changes, expected) => {
    const { track_opens, track_clicks } = fields(await messageSent(changes))
    expect({ track_opens, track_clicks }).toEqual(expected)
  })
})

describe("Mandrill's own parameters", () => {
  /** Each that there is, but for those that stand in for a field of every message. */
  const everything = (): MandrillMailOptions => ({
    async: true,
    ip_pool: 'Main Pool',
    message: {
      important: true,
      auto_text: true,
      auto_html: false,
      inline_css: true,
      url_strip_qs: true,
      view_content_link: false,
      bcc_address: 'archive@example.com',
      tracking_domain: 'click.example.com',
      signing_domain: 'example.com',
      return_path_domain: 'bounces.example.com',
      merge: true,
      merge_language: 'handlebars',
      global_merge_vars: [{ name: 'buyer', content: { name: 'Ann' } }],
      subaccount: 'shop-7',
      google_analytics_domains: ['example.com'],
      google_analytics_campaign: 'spring',
    },
  })

  test('all arrive as they are given', async () => {
    const call = lastCall(await sent({ mandrill: everything() }))
    expect(call).toMatchObject({ ...everything(), key: apiKey })
    expect(call).toMatchObject({ message: { from_email: 'shop@example.com', text: 'Hello' } })
  })

  test('have the last word on what the message says otherwise', async () => {
    const send_at = inHours(1).toISOString().slice(0, 19).replace('T', ' ')
    const message = {
      from_name: 'Web shop',
      subject: 'Yours',
      html: '<p>Hi</p>',
      text: 'Hi',
      preserve_recipients: false,
      track_opens: true,
      track_clicks: true,
      tags: ['own'],
      attachments: [{ type: 'text/plain', name: 'b.txt', content: 'Yg==' }],
      images: [{ type: 'image/png', name: 'logo', content: 'UE5H' }],
    }
    const provider = await sent({
      trackOpens: false,
      trackClicks: false,
      sendAt: inHours(2),
      tags: ['shop'],
      attachments: [{ filename: 'a.txt', content: 'a' }],
      mandrill: { send_at, message },
    })
    expect(lastCall(provider)).toMatchObject({ send_at, message })
  })

  test('that are undefined change nothing', async () => {
    const changes: object = { mandrill: { message: { subject: undefined } } }
    const message = await messageSent({ ...changes })
    expect(message).toHaveProperty('subject', expect.any(String))
  })

  test('may hold more headers, each of which goes once', async () => {
    const headers = { 'X-Shop': '7', 'reply-to': 'desk@example.com' }
    const replyTo = 'help@example.com'
    const message = await messageSent({ replyTo, mandrill: { message: { headers } } })
    expect(fields(message).headers).toEqual({
      'Message-Id': expect.stringMatching(/^<.+>$/),
      'X-Shop': '7',
      'Reply-To': 'desk@example.com',
    })
  })

  test('may hold more metadata, and our id stays', async () => {
    const metadata = { order: '43', paid: true, total: 7 }
    const provider = await startMandrill()
    const info = await transporterTo(provider).sendMail(
      mail({ metadata: { order: '42', shop: 's' }, mandrill: { message: { metadata } } }),
    )
    expect(fields(lastMessage(provider)).metadata).toEqual({
      order: '43',
      shop: 's',
      paid: 'true',
      total: '7',
      mailtrail_id: info.trackingId,
    })
  })

  test('count with the limit of metadata when they are merged', async () => {
    const metadata = { a: 'x'.repeat(100) }
    const own = { b: 'y'.repeat(100) }
    await sent({ metadata })
    await sent({ mandrill: { message: { metadata: own } } })
    expect(await refusalOf({ metadata, mandrill: { message: { metadata: own } } })).toMatch(
      /takes 250 bytes of metadata/,
    )
  })

  const circle: Record<string, unknown> = {}
  circle['self'] = circle

  test.each<[object, RegExp]>([
    [{ key: 'md-other' }, /^mandrill\.key cannot be given: it is the apiKey/],
    [{ outputFormat: 'xml' }, /^mandrill\.outputFormat cannot be given: an answer/],
    [{ template_name: 'a' }, /^mandrill\.template_name cannot be given: templateId says it/],
    [{ message: { to: [] } }, /^mandrill\.message\.to cannot be given: to, cc and bcc say it/],
    [{ message: { to: undefined } }, /^mandrill\.message\.to cannot be given/],
    [{ message: { from_email: 'x' } }, /^mandrill\.message\.from_email .*: from says it/],
    [
      { message: { merge_vars: [] } },
      /^mandrill\.message\.merge_vars cannot be given: recipientData says it/,
    ],
    [
      { message: { recipient_metadata: [] } },
      /^mandrill\.message\.recipient_metadata cannot be given: recipientData says it/,
    ],
    [
      { message: { metadata: { mailtrail_id: '1' } } },
      /^mandrill\.message\.metadata\.mailtrail_id cannot be given: it is our id/,
    ],
    [{ message: { metadata: { mailtrail_id: undefined } } }, /mailtrail_id cannot be given/],
    [{ message: { metadata: { a: {} } } }, /metadata\.a must be a string/],
    [{ message: { metadata: { _a: '1' } } }, /no metadata whose name begins with _: _a/],
    [{ message: { metadata: ['a'] } }, /^mandrill\.message\.metadata must be an object/],
    [{ message: { headers: new Map() } }, /^mandrill\.message\.headers must be an object/],
    [{ message: { headers: { 'MESSAGE-ID': '<a>' } } }, /^mandrill\.message\.headers\.MESSAGE-ID/],
    [{ message: { headers: { From: 'a' } } }, /^mandrill\.message\.headers\.From cannot be given/],
    [{ message: { headers: { to: 'a' } } }, /^mandrill\.message\.headers\.to cannot be given/],
    [{ message: { headers: { Cc: 'a' } } }, /^mandrill\.message\.headers\.Cc cannot be given/],
    [{ message: { headers: { Subject: 'a' } } }, /^mandrill\.message\.headers\.Subject cannot/],
    [{ message: { headers: { Date: 'a' } } }, /^mandrill\.message\.headers\.Date cannot be given/],
    [{ message: { headers: { bcc: 'a' } } }, /^mandrill\.message\.headers\.bcc cannot be given/],
    [{ message: 'Hello' }, /^mandrill\.message must be an object/],
    [{ message: [] }, /^mandrill\.message must be an object/],
    [{ message: { important: circle } }, /^mandrill cannot be written as JSON/],
    [{ ip_pool: 1n }, /^mandrill cannot be written as JSON/],
  ])('that would do harm are refused by name: %p', async (mandrill, message) => {
    expect(await refusalOf({ mandrill })).toMatch(message)
  })

  class Shaped {
    important = true
  }

  test.each<[string, object]>([
    ['undefined', { mandrill: { message: undefined } }],
    ['null', { mandrill: { message: null } }],
    ['an object of a class', { mandrill: { message: new Shaped() } }],
    ['without metadata', { mandrill: { message: { metadata: undefined, headers: undefined } } }],
    ['with null for metadata', { mandrill: { message: { metadata: null, headers: null } } }],
  ])('whose message is %s leave the rest of it alone', async (_, changes) => {
    const provider = await startMandrill()
    const info = await transporterTo(provider).sendMail({ ...mail(), ...changes })
    expect(lastMessage(provider)).toMatchObject({
      to: [{ email: 'ann@example.org' }],
      headers: { 'Message-Id': info.messageId },
      metadata: { mailtrail_id: info.trackingId },
    })
  })
})

test('what was given is the same afterwards', async () => {
  const given = (): MailOptions =>
    mail({
      templateId: 'order-shipped',
      templateData: { items: [{ title: 'Cup' }], none: undefined },
      sendAt: new Date('2020-01-01T00:00:00Z'),
      trackOpens: true,
      trackClicks: false,
      metadata: { order: '42' },
      mandrill: {
        async: true,
        template_content: [{ name: 'main', content: 'Hi' }],
        message: {
          merge_language: 'handlebars',
          metadata: { shop: 's' },
          headers: { 'X-Shop': '7' },
        },
      },
    })
  const own = given()
  await sent(own)
  expect(own).toStrictEqual(given())
})
