import { afterEach, describe, expect, test } from '@jest/globals'
import { type MailOptions, SendError } from '../../../src/index.js'
import type {
  SendgridMailOptions,
  SendgridTransportOptions,
} from '../../../src/providers/sendgrid/index.js'
import { buildRequest } from '../../../src/providers/sendgrid/request.js'
import type { RunningProvider } from '../../../src/testing/index.js'
import type { OutgoingMail } from '../../../src/provider-client.js'
import { mail, sentBodies, startSendgrid } from './sending.js'

const dynamicId = 'd-0123456789abcdef0123456789abcdef'
const legacyId = '13b8f94f-bcae-4ec6-b752-70d6cb59f932'
const hour = 60 * 60 * 1000

const running: RunningProvider[] = []

async function start(options?: SendgridTransportOptions) {
  const started = await startSendgrid(options)
  running.push(started.provider)
  return started
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((provider) => provider.close()))
})

/** What arrives of a mail with these options, and the id that it was sent under. */
async function arrived(options: object) {
  const { provider, transporter } = await start()
  const { trackingId } = await transporter.sendMail({ ...mail, ...options })
  const [body] = sentBodies(provider)
  return { body, trackingId }
}

const bodyOf = async (options: object) => (await arrived(options)).body

/** Why a mail with these options is refused, before SendGrid is asked. */
async function refusal(options: object, from?: SendgridTransportOptions): Promise<SendError> {
  const { provider, transporter } = await start(from)
  const error: unknown = await transporter
    .sendMail({ ...mail, ...options })
    .catch((reason: unknown) => reason)
  if (!(error instanceof SendError)) throw new Error('it was not refused with a SendError')
  expect(error).toMatchObject({ category: 'validation', retryable: false, outcome: 'not-sent' })
  expect(provider.requests).toEqual([])
  return error
}

describe('a template', () => {
  const bare = { subject: undefined, text: undefined }

  test('brings its subject and its content itself', async () => {
    const { body, trackingId } = await arrived({ ...bare, templateId: dynamicId })
    expect(body).toStrictEqual({
      personalizations: [
        {
          to: [{ email: 'ann@example.com', name: 'Ann' }],
          custom_args: { mailtrail_id: trackingId },
        },
      ],
      from: { email: 'shop@example.com', name: 'Shop' },
      headers: expect.any(Object),
      template_id: dynamicId,
    })
  })

  test.each([
    ['the subject', { subject: 'Order 42' }, { subject: 'Order 42' }],
    ['the text', { text: 'Thanks' }, { content: [{ type: 'text/plain', value: 'Thanks' }] }],
    ['the HTML', { html: '<p>' }, { content: [{ type: 'text/html', value: '<p>' }] }],
  ])('is sent with %s that the message has', async (_, given, expected) => {
    const { subject, content } = await bodyOf({ ...bare, templateId: dynamicId, ...given })
    expect({ subject, content }).toEqual({ subject: undefined, content: undefined, ...expected })
  })

  test('takes an empty subject and an empty text for none', async () => {
    const body = await bodyOf({ templateId: dynamicId, subject: '', text: '', html: '' })
    expect(body).not.toHaveProperty('subject')
    expect(body).not.toHaveProperty('content')
  })

  const data = {
    name: 'Ann & "Bob"',
    order: { id: 42, items: [{ price: 1.5, orderID: null }], paidAt: new Date(0) },
    firstName: true,
    'with-dash': undefined,
  }

  test('of the dynamic kind is filled with the data as JSON', async () => {
    const { personalizations } = await bodyOf({ templateId: dynamicId, templateData: data })
    expect(personalizations[0].dynamic_template_data).toStrictEqual({
      name: 'Ann & "Bob"',
      order: {
        id: 42,
        items: [{ price: 1.5, orderID: null }],
        paidAt: '1970-01-01T00:00:00.000Z',
      },
      firstName: true,
    })
    expect(personalizations[0]).not.toHaveProperty('substitutions')
  })

  test('of the legacy kind is filled with texts', async () => {
    const templateData = { '-name-': 'Ann', '%count%': 2, '{{paid}}': false, '[none]': '' }
    const { personalizations } = await bodyOf({ templateId: legacyId, templateData })
    expect(personalizations[0].substitutions).toStrictEqual({
      '-name-': 'Ann',
      '%count%': '2',
      '{{paid}}': 'false',
      '[none]': '',
    })
    expect(personalizations[0]).not.toHaveProperty('dynamic_template_data')
  })

  test('of the legacy kind has a bare name in braces, so that no word of the text is replaced', async () => {
    const templateData = { name: 'Ann', order_42: 'b' }
    const { personalizations } = await bodyOf({ templateId: legacyId, templateData })
    expect(personalizations[0].substitutions).toEqual({ '{{name}}': 'Ann', '{{order_42}}': 'b' })
  })

  test('may be missing: data then goes into the text', async () => {
    const { personalizations, content } = await bodyOf({
      text: 'Dear -name-',
      templateData: { '-name-': 'Ann' },
    })
    expect(personalizations[0].substitutions).toEqual({ '-name-': 'Ann' })
    expect(content).toEqual([{ type: 'text/plain', value: 'Dear -name-' }])
  })

  test.each([
    ['an object', { order: { id: 1 } }],
    ['a list', { order: ['a'] }],
    ['null', { order: null }],
  ])('of the legacy kind is not filled with %s', async (_, templateData) => {
    const error = await refusal({ templateId: legacyId, templateData })
    expect(error.message).toMatch(/^templateData\.order must be a text.*begins with d-/)
  })

  test.each([dynamicId, legacyId])('%s is not filled with what is no JSON', async (templateId) => {
    const circular: Record<string, unknown> = {}
    circular['self'] = circular
    for (const templateData of [circular, { big: 1n }]) {
      const { message } = await refusal({ templateId, templateData })
      expect(message).toMatch(/^templateData cannot be written as JSON/)
    }
  })

  test('is in the record of the message', async () => {
    const { transporter } = await start()
    const recorded = new Promise((resolve) => transporter.on('sent', resolve))
    await transporter.sendMail({ ...mail, templateId: dynamicId })
    expect(await recorded).toMatchObject({ templateId: dynamicId })
  })

  test('that SendGrid does not know is refused by SendGrid', async () => {
    const { transporter } = await start()
    await expect(transporter.sendMail({ ...mail, templateId: 'welcome' })).rejects.toMatchObject({
      statusCode: 400,
      message: expect.stringMatching(/must be a valid GUID, you provided 'welcome'.*template_id/),
    })
  })
})

describe('a time', () => {
  test('is sent in whole seconds', async () => {
    const sendAt = new Date(Date.now() + hour)
    sendAt.setMilliseconds(999)
    const seconds = Math.floor(sendAt.getTime() / 1000)
    expect((await bodyOf({ sendAt })).send_at).toBe(seconds)
    expect((await bodyOf({ sendAt: sendAt.toISOString() })).send_at).toBe(seconds)
  })

  test('that is over sends at once', async () => {
    expect((await bodyOf({ sendAt: new Date(1_000_000) })).send_at).toBe(1000)
  })

  test('more than 72 hours ahead is refused, with the limit and the time', async () => {
    const sendAt = new Date(Date.now() + 73 * hour)
    const { message } = await refusal({ sendAt })
    expect(message).toMatch(/72 hours/)
    expect(message).toContain(`sendAt is ${sendAt.toISOString()}`)
  })

  test('in milliseconds is refused, with the field that it stands in', async () => {
    const { message } = await refusal({ sendAt: new Date(), sendgrid: { send_at: 1772366400000 } })
    expect(message).toMatch(/72 hours .*sendgrid\.send_at is 1772366400000, which counts seconds$/)
  })

  test('is taken up to the limit itself', () => {
    const now = Date.parse('2026-03-01T12:00:00Z')
    const after = (wait: number) => () => built({ sendAt: new Date(now + wait) }, now)
    expect(after(72 * hour)().send_at).toBe((now + 72 * hour) / 1000)
    expect(after(72 * hour + 1000)).toThrow(/72 hours/)
  })
})

describe('tracking', () => {
  test.each<[string, MailOptions, object]>([
    ['openings', { trackOpens: true }, { open_tracking: { enable: true } }],
    ['no openings', { trackOpens: false }, { open_tracking: { enable: false } }],
    ['clicks', { trackClicks: true }, { click_tracking: { enable: true, enable_text: false } }],
    [
      'no clicks',
      { trackClicks: false },
      { click_tracking: { enable: false, enable_text: false } },
    ],
    [
      'both',
      { trackOpens: false, trackClicks: true },
      {
        open_tracking: { enable: false },
        click_tracking: { enable: true, enable_text: false },
      },
    ],
    [
      'clicks in the text too',
      {
        trackClicks: true,
        sendgrid: { tracking_settings: { click_tracking: { enable_text: true } } },
      },
      { click_tracking: { enable: true, enable_text: true } },
    ],
    [
      'what the own setting says, before the portable one',
      {
        trackOpens: true,
        sendgrid: { tracking_settings: { open_tracking: { enable: false } } },
      },
      { open_tracking: { enable: false } },
    ],
  ])('is set to tell of %s', async (_, options, expected) => {
    expect((await bodyOf(options)).tracking_settings).toEqual(expected)
  })

  test('is as the account has it when nothing is said', async () => {
    expect(await bodyOf({})).not.toHaveProperty('tracking_settings')
  })
})

const everything: Required<SendgridMailOptions> = {
  asm: { group_id: 1, groups_to_display: Array.from({ length: 25 }, (_, index) => index) },
  batch_id: 'batch',
  categories: ['order', 'spring sale'],
  ip_pool_name: 'x'.repeat(64),
  mail_settings: {
    bypass_spam_management: { enable: true },
    bypass_bounce_management: { enable: false },
    bypass_unsubscribe_management: { enable: true },
    footer: { enable: true, text: 'Bye', html: '<p>Bye' },
    sandbox_mode: { enable: false },
    bcc: { enable: true, email: 'audit@example.com' },
    spam_check: { enable: true, threshold: 5, post_to_url: 'https://example.com/spam' },
  },
  sections: { '-ownKey-': 'Dear -name-', with_underscore: 'a' },
  send_at: 1000,
  template_id: legacyId,
  tracking_settings: {
    click_tracking: { enable: true, enable_text: true },
    open_tracking: { enable: true, substitution_tag: '%open%' },
    subscription_tracking: { enable: true, text: 'a', html: 'b', substitution_tag: '%bye%' },
    ganalytics: {
      enable: true,
      utm_source: 'a',
      utm_medium: 'b',
      utm_term: 'c',
      utm_content: 'd',
      utm_campaign: 'e',
    },
  },
}

describe('under sendgrid', () => {
  test('every parameter arrives as it was given, and our own beside it', async () => {
    const { body, trackingId } = await arrived({ sendgrid: everything })
    expect(body).toMatchObject(everything)
    expect(body).toMatchObject({
      personalizations: [{ to: [{}], custom_args: { mailtrail_id: trackingId } }],
      subject: 'Your order',
      content: [{ value: 'Thanks' }],
    })
    expect(body.asm).toStrictEqual(everything.asm)
    expect(body.mail_settings).toStrictEqual(everything.mail_settings)
    expect(body.tracking_settings).toStrictEqual(everything.tracking_settings)
  })

  test.each<[string, MailOptions, object]>([
    [
      'categories before the tags, each once',
      { tags: ['a'], sendgrid: { categories: ['b', 'b'] } },
      { categories: ['b'] },
    ],
    [
      'the template before templateId, and the data fits it',
      { templateId: dynamicId, templateData: { '-a-': 1 }, sendgrid: { template_id: legacyId } },
      { template_id: legacyId, personalizations: [{ substitutions: { '-a-': '1' } }] },
    ],
    [
      'a dynamic template alone, and the data fits it',
      { templateData: { a: [1] }, sendgrid: { template_id: dynamicId } },
      { template_id: dynamicId, personalizations: [{ dynamic_template_data: { a: [1] } }] },
    ],
    [
      'the time before sendAt',
      { sendAt: new Date(Date.now() + 100 * hour), sendgrid: { send_at: 1000 } },
      { send_at: 1000 },
    ],
    [
      'other settings beside those of ours',
      {
        trackOpens: true,
        sendgrid: { tracking_settings: { ganalytics: { enable: true, utm_source: 'a' } } },
      },
      {
        tracking_settings: {
          open_tracking: { enable: true },
          ganalytics: { enable: true, utm_source: 'a' },
        },
      },
    ],
  ])('stand %s', async (_, options, expected) => {
    expect(await bodyOf(options)).toMatchObject(expected)
  })

  test.each([
    [undefined],
    [null],
    [{}],
    [{ categories: [] }],
    [{ asm: undefined, from: undefined }],
  ])('%j adds nothing', async (sendgrid) => {
    const names = (body: object) => Object.keys(body).toSorted()
    expect(names(await bodyOf({ sendgrid }))).toEqual(names(await bodyOf({})))
  })

  test('an empty list is left out of the request', () => {
    expect(built({ own: { categories: [] } }, 0)).not.toHaveProperty('categories')
  })

  test('what is undefined leaves what the message says elsewhere', async () => {
    const body = await bodyOf({ tags: ['a'], sendgrid: { categories: undefined } })
    expect(body.categories).toEqual(['a'])
  })

  test('the sandbox is on for the message, which is then accepted with a 200', async () => {
    const { provider, transporter } = await start()
    const sendgrid = { mail_settings: { sandbox_mode: { enable: true } } }
    await expect(transporter.sendMail({ ...mail, sendgrid })).resolves.toMatchObject({
      response: '200',
      accepted: ['ann@example.com'],
    })
    expect(provider.messages).toEqual([])
  })

  test.each([
    ['attachments', [], /: use attachments$/],
    [
      'content',
      [{ type: 'text/plain', value: 'x' }],
      /: use text, html, amp, watchHtml, alternatives and icalEvent$/,
    ],
    ['custom_args', { mailtrail_id: 'x' }, /: use metadata$/],
    ['from', { email: 'boss@example.com' }, /: use from$/],
    ['headers', { 'Message-ID': '<a@b>' }, /: use headers$/],
    ['personalizations', [], /: use to, cc, bcc, metadata, templateData and recipientData$/],
    ['reply_to', { email: 'a@example.com' }, /: use replyTo$/],
    ['reply_to_list', [], /: use replyTo$/],
    ['subject', 'x', /: use subject$/],
  ])('%s is refused, for it would take away what the message has', async (name, value, words) => {
    const { message } = await refusal({ sendgrid: { [name]: value } }, { unsupported: 'ignore' })
    expect(message).toMatch(new RegExp(`^sendgrid\\.${name} cannot be merged`))
    expect(message).toMatch(words)
  })

  test.each(['ipPoolName', 'category', 'constructor', '__proto__'])(
    '%s is refused, for SendGrid has no such parameter',
    async (name) => {
      const sendgrid: unknown = JSON.parse(`{"${name}":{"enable":true}}`)
      const { message } = await refusal({ sendgrid })
      expect(message).toMatch(/^sendgrid takes asm, batch_id, .*tracking_settings, and not /)
      expect(message.endsWith(`and not ${name}`)).toBe(true)
    },
  )

  const groups = Array.from({ length: 26 }, (_, index) => index)

  test.each<[keyof SendgridMailOptions, unknown, RegExp]>([
    ['asm', {}, /whole number as group_id/],
    ['asm', { group_id: '1' }, /whole number as group_id/],
    ['asm', { group_id: 1, groups_to_display: groups }, /at most 25/],
    ['asm', { group_id: 1, groups_to_display: ['1'] }, /at most 25/],
    ['asm', { group_id: 1, groups_to_display: 1 }, /at most 25/],
    ['batch_id', ' ', /a text that is not empty/],
    ['categories', 'order', /a list of texts/],
    ['categories', [1], /a list of texts/],
    ['categories', null, /a list of texts/],
    ['ip_pool_name', 'x', /2 to 64 characters/],
    ['ip_pool_name', 'x'.repeat(65), /2 to 64 characters/],
    ['ip_pool_name', 64, /2 to 64 characters/],
    ['mail_settings', [], /an object of settings/],
    ['mail_settings', { footer: 'Bye' }, /enable as true or false/],
    ['mail_settings', { footer: { enable: 'yes' } }, /enable as true or false/],
    ['sections', { a: 1 }, /an object of texts/],
    ['sections', ['a'], /an object of texts/],
    ['send_at', 1.5, /a whole number of seconds/],
    ['send_at', new Date(), /a whole number of seconds/],
    ['send_at', NaN, /a whole number of seconds/],
    ['template_id', '', /a text that is not empty/],
    ['tracking_settings', { open_tracking: {} }, /enable as true or false/],
    ['tracking_settings', 'none', /an object of settings/],
  ])('%s is refused as %j', async (name, value, words) => {
    const { message } = await refusal({ sendgrid: { [name]: value } })
    expect(message).toMatch(new RegExp(`^sendgrid\\.${name} must be `))
    expect(message).toMatch(words)
  })

  test('more than 10 categories are refused, and so are those beyond ASCII', async () => {
    const { message } = await refusal({ sendgrid: { categories: [...'abcdefghijk'] } })
    expect(message).toMatch(/10 tags \(categories\), and not 11/)
    const beyond = await refusal({ sendgrid: { categories: ['größe'] } })
    expect(beyond.message).toMatch(/ASCII characters: "größe"/)
  })

  test('what is no JSON is refused', async () => {
    const circular: Record<string, unknown> = { enable: true }
    circular['self'] = circular
    const { message } = await refusal({ sendgrid: { mail_settings: { footer: circular } } })
    expect(message).toMatch(/^sendgrid cannot be written as JSON/)
  })
})

const outgoing: OutgoingMail = {
  envelope: { from: 'shop@example.com', to: ['ann@example.com'] },
  messageId: '<order-42@example.com>',
  from: [{ name: '', address: 'shop@example.com' }],
  replyTo: [],
  to: [{ name: '', address: 'ann@example.com' }],
  cc: [],
  bcc: [],
  subject: 'Your order',
  alternatives: [],
  attachments: [],
  headers: [],
  tags: [],
  metadata: {},
  templateData: {},
  own: {},
}

const built = (change: Partial<OutgoingMail>, now: number) =>
  buildRequest({ ...outgoing, ...change }, 'id', now).request

/** A mail with everything that a careless transport would write into. */
const careful = () => ({
  ...mail,
  tags: ['a'],
  templateId: legacyId,
  templateData: { name: 'Ann', count: 2 },
  sendAt: new Date(1000),
  trackOpens: true,
  trackClicks: true,
  sendgrid: structuredClone(everything),
})

describe('what the caller gave', () => {
  test('stays as it was', async () => {
    const { transporter } = await start()
    const given = careful()
    await transporter.sendMail(given)
    expect(given).toStrictEqual(careful())
  })

  test('may change while the message is on its way', () => {
    const templateData = { order: { id: 1 } }
    const own = { asm: { group_id: 1 } }
    const request = built({ templateId: dynamicId, templateData, own }, 0)
    templateData.order.id = 2
    own.asm.group_id = 2
    expect(request.asm).toEqual({ group_id: 1 })
    expect(request.personalizations[0]?.dynamic_template_data).toEqual({ order: { id: 1 } })
  })
})
