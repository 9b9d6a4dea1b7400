import { describe, expect, test } from '@jest/globals'
import { sendgridSimulator, sendgridWebhook } from '../../../src/providers/sendgrid/index.js'
import type { ApiRequest, SimulatedEvent, SimulatedMessage } from '../../../src/simulator.js'
import { apiKey } from './sending.js'
import { webhookRequest } from '../../webhook-request.js'

const now = new Date('2025-08-17T10:45:23Z')
const simulator = sendgridSimulator({ apiKey })

/** A mail in which everything that is looked at is right. */
const full = {
  personalizations: [
    {
      to: [{ email: 'ann@example.com', name: 'Ann Ö' }],
      cc: [{ email: 'carl@example.com' }],
      bcc: [{ email: 'audit@example.com' }],
      custom_args: { order: '42' },
    },
    { to: [{ email: 'bob@example.com' }], custom_args: { order: '43' } },
  ],
  from: { email: 'shop@example.com', name: 'Shop' },
  reply_to_list: [{ email: 'help@example.com' }],
  subject: 'Your order',
  content: [
    { type: 'text/plain', value: 'Thanks' },
    { type: 'text/html', value: '<p>Thanks' },
    { type: 'text/calendar', value: 'BEGIN:VCALENDAR' },
  ],
  attachments: [
    {
      content: 'iVBORw0KGgo=',
      filename: 'logo.png',
      type: 'image/png',
      disposition: 'inline',
      content_id: 'logo@x',
    },
    { content: 'YQ==', filename: 'a.txt' },
  ],
  headers: { 'Message-ID': '<order-42@example.com>', 'X-Order': '42' },
  categories: ['order'],
  custom_args: { environment: 'test' },
}

function call(change: Partial<ApiRequest> = {}): ApiRequest {
  return {
    method: 'POST',
    path: '/v3/mail/send',
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify(full)),
    ...change,
  }
}

const legacyTemplate = '13b8f94f-bcae-4ec6-b752-70d6cb59f932'
const dynamicTemplate = 'd-0123456789abcdef0123456789abcdef'
const at = (hours: number): number => now.getTime() / 1000 + hours * 3600
const filled = (filling: object) => ({ personalizations: [{ to: mailboxes(1), ...filling }] })
const groups = (count: number) => Array.from({ length: count }, (_, index) => index)

const send = (mail: unknown) =>
  simulator.answer(call({ body: Buffer.from(JSON.stringify(mail)) }), now)

describe('a mail that is right', () => {
  test('is accepted with an empty body and an id', async () => {
    const { answer, message } = await send(full)
    expect(answer).toEqual({
      status: 202,
      headers: { 'x-message-id': expect.stringMatching(/^[\w-]{22}$/) },
      body: '',
    })
    const id = answer.headers['x-message-id']
    expect(message).toEqual({
      id,
      recipients: ['ann', 'carl', 'audit', 'bob'].map((name) => ({
        address: `${name}@example.com`,
        id,
      })),
      subject: 'Your order',
      metadata: { environment: 'test', order: '42' },
      tags: ['order'],
      messageId: 'order-42@example.com',
      request: full,
    })
  })

  test('gets another id each time', async () => {
    const answers = [await send(full), await send(full)]
    const [first, second] = answers.map(({ message }) => message?.id)
    expect(first).not.toBe(second)
  })

  test.each<[string, object]>([
    [
      'with the least in it',
      {
        personalizations: [{ to: mailboxes(1) }],
        reply_to_list: undefined,
        attachments: undefined,
        headers: undefined,
        categories: undefined,
        custom_args: undefined,
      },
    ],
    ['to 1000 recipients', { personalizations: [{ to: mailboxes(1000) }] }],
    [
      'to 1000 recipients, each with a personalization of its own',
      {
        personalizations: mailboxes(1000).map((mailbox, index) => ({
          to: [mailbox],
          headers: { 'X-Number': String(index) },
          custom_args: { number: String(index) },
        })),
      },
    ],
    [
      'of personalizations that have everything themselves',
      {
        subject: undefined,
        ...filled({
          from: { email: 'desk@Example.com' },
          subject: 'Your order',
          send_at: at(1),
          headers: { 'x-order': '43' },
        }),
      },
    ],
    ['with ten categories', { categories: [...'abcdefghij'] }],
    [
      'of a dynamic template alone',
      {
        template_id: dynamicTemplate,
        subject: undefined,
        content: undefined,
        ...filled({ dynamic_template_data: { order: { items: [1] } } }),
      },
    ],
    [
      'of a legacy template',
      { template_id: legacyTemplate, ...filled({ substitutions: { '-name-': 'Ann' } }) },
    ],
    ['with substitutions in its text', filled({ substitutions: { '-name-': 'Ann' } })],
    ['that is sent in 72 hours', { send_at: at(72) }],
    ['that was to be sent before', { send_at: at(-1) }],
    [
      'with every parameter',
      {
        asm: { group_id: 1, groups_to_display: groups(25) },
        batch_id: 'batch',
        ip_pool_name: 'x'.repeat(64),
        sections: { '-a-': 'b' },
        mail_settings: { footer: { enable: true, text: 'Bye' } },
        tracking_settings: { click_tracking: { enable: true, enable_text: false } },
      },
    ],
    [
      'past some suppressions',
      {
        mail_settings: {
          bypass_spam_management: { enable: true },
          bypass_bounce_management: { enable: true },
        },
      },
    ],
  ])('may be one %s', async (_, change) => {
    await expect(send({ ...full, ...change })).resolves.toHaveProperty('answer.status', 202)
  })

  test('is only checked in the sandbox', async () => {
    const sandbox = (enable: boolean) => ({ ...full, mail_settings: { sandbox_mode: { enable } } })
    expect(await send(sandbox(true))).toEqual({ answer: { status: 200, headers: {}, body: '' } })
    await expect(send(sandbox(false))).resolves.toHaveProperty('answer.status', 202)
  })

  test('may have 20 MB in an attachment', async () => {
    const content = Buffer.alloc(20 * 1024 * 1024).toString('base64')
    const answered = await send({ ...full, attachments: [{ content, filename: 'a.bin' }] })
    expect(answered.answer.status).toBe(202)
  }, 30_000)
})

function mailboxes(count: number) {
  return Array.from({ length: count }, (_, index) => ({ email: `ann+${index}@example.com` }))
}

describe('what an API key may do', () => {
  const { authorization } = call().headers
  const ask = (change: Partial<ApiRequest> = {}, asked = simulator) =>
    asked.answer(
      call({
        method: 'GET',
        path: '/v3/scopes',
        headers: { authorization },
        body: Buffer.alloc(0),
        ...change,
      }),
      now,
    )

  test('is told to who has it, and nothing is sent', async () => {
    const { answer, message } = await ask()
    expect(answer).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/json' },
    })
    expect(JSON.parse(answer.body).scopes).toContain('mail.send')
    expect(message).toBeUndefined()
  })

  test.each<[string, Partial<ApiRequest>, number]>([
    ['without a key', { headers: {} }, 401],
    ['with another key', { headers: { authorization: 'Bearer SG.other' } }, 401],
    ['with another method', { method: 'POST' }, 405],
  ])('is not told %s', async (_, change, status) => {
    await expect(ask(change)).resolves.toHaveProperty('answer.status', status)
  })

  test('may be something else than sending', async () => {
    const reader = sendgridSimulator({ apiKey, scopes: ['stats.read'] })
    const { answer } = await ask({}, reader)
    expect(JSON.parse(answer.body)).toEqual({ scopes: ['stats.read'] })
    const refused = await reader.answer(call(), now)
    expect(refused.answer.status).toBe(403)
    expect(refused.answer.body).toContain('access forbidden')
    expect(refused.message).toBeUndefined()
  })
})

describe('a call is refused', () => {
  test.each<[string, Partial<ApiRequest>, number, string]>([
    ['on another path', { path: '/v3/mail/sends' }, 404, 'not found'],
    ['with another method', { method: 'PUT' }, 405, 'method not allowed'],
    [
      'without a key',
      { headers: { 'content-type': 'application/json' } },
      401,
      'authorization required',
    ],
    [
      'with another key',
      { headers: { authorization: 'Bearer SG.other', 'content-type': 'application/json' } },
      401,
      'The provided authorization grant is invalid, expired, or revoked',
    ],
    [
      'as a form',
      { headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'text/plain' } },
      415,
      'Content-Type should be application/json.',
    ],
    ['without JSON', { body: Buffer.from('{') }, 400, 'Bad Request'],
  ])('%s', async (_, change, status, said) => {
    const { answer, message } = await simulator.answer(call(change), now)
    expect(answer.status).toBe(status)
    expect(JSON.parse(answer.body)).toEqual({
      errors: [{ message: said, field: null, help: null }],
    })
    expect(message).toBeUndefined()
  })

  test('over 30 MB, with a page', async () => {
    const { answer } = await simulator.answer(
      call({ body: Buffer.alloc(30 * 1024 * 1024 + 1) }),
      now,
    )
    expect(answer).toMatchObject({ status: 413, headers: { 'content-type': 'text/html' } })
    expect(answer.body).toMatch(/^<html>/)
  })
})

const attached = (change: object) => ({
  attachments: [{ content: 'YQ==', filename: 'a.txt', ...change }],
})
const part = (change: object) => ({ content: [{ type: 'text/plain', value: 'x', ...change }] })

describe('a mail is refused with 400', () => {
  const [personalization] = full.personalizations
  const to = (change: object) => ({ personalizations: [{ ...personalization, ...change }] })
  const order = /^Following RFC 1341, section 7\.2, .* followed by any other content\.$/

  test.each<[string, object, string | null, RegExp]>([
    ['no personalizations', { personalizations: undefined }, 'personalizations', /at least one/],
    ['an empty list of them', { personalizations: [] }, 'personalizations', /at least one/],
    [
      '1001 recipients',
      { personalizations: [{ to: mailboxes(1001) }] },
      'personalizations',
      /1000/,
    ],
    [
      'no to in the second',
      { personalizations: [personalization, { cc: mailboxes(1) }] },
      'personalizations.1.to',
      /^The to array is required for all personalization objects, and must have at least one/,
    ],
    ['an empty to', to({ to: [] }), 'personalizations.0.to', /to array is required/],
    [
      'a mailbox without address',
      to({ to: [...mailboxes(1), {}] }),
      'personalizations.0.to',
      /valid/,
    ],
    [
      '1001 personalizations',
      { personalizations: Array.from({ length: 1001 }, () => ({})) },
      'personalizations',
      /1000 personalizations/,
    ],
    [
      '1001 recipients in 501 personalizations',
      {
        personalizations: Array.from({ length: 501 }, (_, index) => ({
          to: mailboxes(index === 500 ? 1 : 2),
        })),
      },
      'personalizations',
      /1000 recipients/,
    ],
    [
      'an address twice in the second',
      {
        personalizations: [
          personalization,
          { to: mailboxes(1), bcc: [{ email: 'ann+0@example.com' }] },
        ],
      },
      'personalizations.1',
      /in the personalizations\.1\.bcc field\.$/,
    ],
    ['a number as a name', to({ to: [{ email: 'a@b.c', name: 5 }] }), null, /^Bad Request$/],
    ['a null as cc', to({ cc: null }), 'personalizations.0.cc', /cc array, when used/],
    ['what no personalization has', to({ reply_to: mailboxes(1)[0] }), null, /^Bad Request$/],
    ['an empty subject of one', to({ subject: '' }), 'personalizations.0.subject', /one character/],
    ['a number as its subject', to({ subject: 1 }), 'personalizations.0.subject', /one character/],
    [
      'a subject of the first alone',
      {
        subject: undefined,
        personalizations: [{ ...personalization, subject: 'x' }, { to: mailboxes(1) }],
      },
      'subject',
      /required/,
    ],
    ['a time of one in over 72 hours', to({ send_at: at(72) + 1 }), 'send_at', /72 hours/],
    [
      'a sender of one at another domain',
      to({ from: { email: 'shop@example.org' } }),
      'personalizations.0.from',
      /same domain/,
    ],
    ['a header of one as a number', to({ headers: { 'X-A': 1 } }), null, /^Bad Request$/],
    ['headers of one as a list', to({ headers: ['X-A'] }), null, /^Bad Request$/],
    [
      'a header of one that is refused',
      to({ headers: { 'Reply-To': 'x' } }),
      'personalizations.0.headers',
      /Reply-To cannot be used/,
    ],
    [
      'custom_args over 10,000 bytes with those of the message',
      { custom_args: { a: 'x'.repeat(6000) }, ...to({ custom_args: { b: 'x'.repeat(6000) } }) },
      'custom_args',
      /10000/,
    ],
    [
      'custom_args of the message over 10,000 bytes',
      { custom_args: { a: 'x'.repeat(10_000) }, personalizations: [{ to: mailboxes(1) }] },
      'custom_args',
      /10000/,
    ],
    ['an address as text', to({ to: ['ann@example.com'] }), 'personalizations.0.to', /valid/],
    ['an address that is none', to({ to: [{ email: 'ann' }] }), 'personalizations.0.to', /valid/],
    [
      'an address beyond ASCII',
      to({ to: [{ email: 'a@ö.de' }] }),
      'personalizations.0.to',
      /valid/,
    ],
    ['an empty cc', to({ cc: [] }), 'personalizations.0.cc', /cc array, when used/],
    ['an empty bcc', to({ bcc: [] }), 'personalizations.0.bcc', /bcc array, when used/],
    [
      'an address twice',
      to({ cc: [{ email: 'ANN@example.com' }] }),
      'personalizations.0',
      /duplicate instance of \[ANN@example\.com\] in the personalizations\.0\.cc field\.$/,
    ],
    ['a number in custom_args', to({ custom_args: { order: 42 } }), null, /^Bad Request$/],
    ['empty custom_args', to({ custom_args: {} }), null, /^Bad Request$/],
    ['a list as custom_args', { custom_args: ['a'], ...to({}) }, null, /^Bad Request$/],
    [
      'custom_args over 10,000 bytes',
      to({ custom_args: { a: 'x'.repeat(10_000) } }),
      'custom_args',
      /10000/,
    ],
    ['no from', { from: undefined }, 'from.email', /from object must be provided/],
    ['a from without address', { from: { name: 'Shop' } }, 'from.email', /from object/],
    ['a from beyond ASCII', { from: { email: 'ö@example.com' } }, 'from.email', /from object/],
    ['two kinds of reply', { reply_to: { email: 'a@example.com' } }, 'reply_to', /Only one/],
    ['a bad reply', { reply_to_list: [{ email: '' }] }, 'reply_to_list', /valid/],
    [
      'an address to answer to twice',
      { reply_to_list: [{ email: 'a@b.c' }, { email: 'A@b.c' }] },
      'reply_to_list',
      /each once/,
    ],
    ['1001 addresses to answer to', { reply_to_list: mailboxes(1001) }, 'reply_to_list', /1000/],
    ['no subject', { subject: undefined }, 'subject', /required/],
    ['an empty subject', { subject: '' }, 'subject', /required/],
    ['no content', { content: undefined }, 'content', /required/],
    ['an empty content', { content: [] }, 'content', /required/],
    ['an empty text', part({ value: '' }), 'content.0.value', /at least one character/],
    ['no text', part({ value: null }), 'content.0.value', /at least one character/],
    ['an empty type', part({ type: '' }), 'content.0.type', /type/],
    [
      'a type with a charset',
      part({ type: 'text/plain; charset=utf-8' }),
      'content.0.type',
      /semicolon/,
    ],
    ['the HTML first', { content: full.content.slice(0, 2).toReversed() }, 'content', order],
    ['the text last', { content: full.content.toReversed() }, 'content', order],
    [
      'the text twice',
      { content: [...full.content.slice(0, 1), ...full.content.slice(0, 1)] },
      'content',
      order,
    ],
    [
      'the HTML twice, in other letters',
      { content: [...full.content.slice(1, 2), { type: 'Text/HTML', value: 'x' }] },
      'content',
      order,
    ],
    ['an attachment that is no list', { attachments: { content: 'YQ==' } }, null, /^Bad Request$/],
    ['a category that is no list', { categories: 'order' }, null, /^Bad Request$/],
    ['a number as a category', { categories: [1] }, null, /^Bad Request$/],
    ['headers as a list', { headers: ['X-A'] }, null, /^Bad Request$/],
    ['a header twice', { headers: { 'X-A': '1', 'x-a': '1' } }, 'headers', /there once/],
    [
      'a file name of two lines',
      attached({ filename: 'a\nb' }),
      'attachments.0.filename',
      /line breaks/,
    ],
    ['a number as content id', attached({ content_id: 5 }), null, /^Bad Request$/],
    ['an empty attachment', attached({ content: '' }), 'attachments.0.content', /base64/],
    ['a cut attachment', attached({ content: 'YQ=' }), 'attachments.0.content', /base64/],
    [
      'an attachment in lines',
      attached({ content: 'YWJj\r\nZGVm' }),
      'attachments.0.content',
      /base64/,
    ],
    [
      'an attachment without name',
      attached({ filename: undefined }),
      'attachments.0.filename',
      /filename/,
    ],
    [
      'an attachment with a charset',
      attached({ type: 'text/plain; charset=utf-8' }),
      'attachments.0.type',
      /type/,
    ],
    ['an empty attachment type', attached({ type: '' }), 'attachments.0.type', /type/],
    [
      'a disposition',
      attached({ disposition: 'hidden' }),
      'attachments.0.disposition',
      /inline or attachment/,
    ],
    [
      'a content id of two lines',
      attached({ content_id: 'a\r\nb' }),
      'attachments.0.content_id',
      /line breaks/,
    ],
    ['a header of its own', { headers: { Subject: 'x' } }, 'headers', /Subject cannot be used/],
    [
      'a header that is refused',
      { headers: { 'x-sg-eid': 'x' } },
      'headers',
      /x-sg-eid cannot be used/,
    ],
    ['a header with a space', { headers: { 'X Order': 'x' } }, 'headers', /X Order cannot be used/],
    ['a number as header', { headers: { 'X-Order': 42 } }, null, /^Bad Request$/],
    ['11 categories', { categories: [...'abcdefghijk'] }, 'categories', /10 unique/],
    ['a category twice', { categories: ['a', 'a'] }, 'categories', /10 unique/],
    ['a long category', { categories: ['x'.repeat(256)] }, 'categories', /255 ASCII/],
    ['a category beyond ASCII', { categories: ['ö'] }, 'categories', /255 ASCII/],
    ['a parameter that there is not', { ipPoolName: 'pool' }, null, /^Bad Request$/],
    [
      'a template id that is none',
      { template_id: 'welcome' },
      'template_id',
      /^The template_id must be a valid GUID, you provided 'welcome'\.$/,
    ],
    ['a dynamic template id that is none', { template_id: 'd-1' }, 'template_id', /valid GUID/],
    ['a number as template id', { template_id: 1 }, null, /^Bad Request$/],
    [
      'a template and an empty subject',
      { template_id: legacyTemplate, subject: '' },
      'subject',
      /./,
    ],
    [
      'a template and an empty content',
      { template_id: legacyTemplate, content: [] },
      'content',
      /^Unless a valid template_id/,
    ],
    [
      'substitutions with a dynamic template',
      { template_id: dynamicTemplate, ...filled({ substitutions: { a: 'b' } }) },
      'personalizations.0.substitutions',
      /^Substitutions may not be used with dynamic templating$/,
    ],
    [
      'a number as substitution',
      { template_id: legacyTemplate, ...filled({ substitutions: { a: 1 } }) },
      null,
      /^Bad Request$/,
    ],
    [
      'substitutions over 10,000 bytes',
      filled({ substitutions: { a: 'x'.repeat(10_000) } }),
      'personalizations.0.substitutions',
      /10000/,
    ],
    [
      'dynamic data with a legacy template',
      { template_id: legacyTemplate, ...filled({ dynamic_template_data: { a: 'b' } }) },
      'personalizations.0.dynamic_template_data',
      /dynamic template/,
    ],
    [
      'dynamic data without a template',
      filled({ dynamic_template_data: {} }),
      'personalizations.0.dynamic_template_data',
      /dynamic template/,
    ],
    [
      'a list as dynamic data',
      { template_id: dynamicTemplate, ...filled({ dynamic_template_data: [] }) },
      null,
      /^Bad Request$/,
    ],
    ['a time in over 72 hours', { send_at: at(72) + 1 }, 'send_at', /72 hours/],
    ['a time in milliseconds', { send_at: now.getTime() }, 'send_at', /72 hours/],
    ['a time with a fraction', { send_at: at(1) + 0.5 }, null, /^Bad Request$/],
    ['a time as text', { send_at: String(at(1)) }, null, /^Bad Request$/],
    ['a group without id', { asm: { groups_to_display: [1] } }, null, /^Bad Request$/],
    ['a group as text', { asm: { group_id: '1' } }, null, /^Bad Request$/],
    ['groups as texts', { asm: { group_id: 1, groups_to_display: ['1'] } }, null, /^Bad Request$/],
    ['one group to display', { asm: { group_id: 1, groups_to_display: 1 } }, null, /^Bad Request$/],
    [
      '26 groups to display',
      { asm: { group_id: 1, groups_to_display: groups(26) } },
      'asm.groups_to_display',
      /25/,
    ],
    ['a short pool', { ip_pool_name: 'x' }, 'ip_pool_name', /2 to 64/],
    ['a long pool', { ip_pool_name: 'x'.repeat(65) }, 'ip_pool_name', /2 to 64/],
    ['a number as pool', { ip_pool_name: 64 }, 'ip_pool_name', /2 to 64/],
    ['an empty batch', { batch_id: '' }, 'batch_id', /not valid/],
    ['a number in sections', { sections: { a: 1 } }, null, /^Bad Request$/],
    ['a setting without enable', { mail_settings: { footer: {} } }, null, /^Bad Request$/],
    ['settings as text', { mail_settings: 'none' }, null, /^Bad Request$/],
    [
      'a setting with words',
      { tracking_settings: { open_tracking: { enable: 'true' } } },
      null,
      /^Bad Request$/,
    ],
    [
      'clicks in text with words',
      { tracking_settings: { click_tracking: { enable: true, enable_text: 'no' } } },
      null,
      /^Bad Request$/,
    ],
    [
      'two ways past suppressions',
      {
        mail_settings: {
          bypass_list_management: { enable: true },
          bypass_spam_management: { enable: true },
        },
      },
      'mail_settings.bypass_list_management',
      /cannot be combined/,
    ],
  ])('for %s', async (_, change, field, said) => {
    const { answer, message } = await send({ ...full, ...change })
    expect(answer.status).toBe(400)
    expect(answer.headers).toEqual({ 'content-type': 'application/json' })
    expect(JSON.parse(answer.body)).toMatchObject({
      errors: [{ message: expect.stringMatching(said), field }],
    })
    expect(message).toBeUndefined()
  })

  test('with the page that helps, where SendGrid names one', async () => {
    const { answer } = await send({ ...full, ...to({ to: [] }) })
    expect(JSON.parse(answer.body).errors[0].help).toBe(
      'http://sendgrid.com/docs/API_Reference/Web_API_v3/Mail/errors.html#message.personalizations.to',
    )
  })
})

describe('an event', () => {
  const recipient = 'carl@example.com'

  async function message(change: object = {}): Promise<SimulatedMessage> {
    const answered = await send({ ...full, ...change })
    if (!answered.message) throw new Error('it was refused')
    return answered.message
  }

  const entryOf = async (event: Partial<SimulatedEvent>) =>
    simulator.entry(await message(), { type: 'delivered', recipient, ...event }, now)

  test('is written as in real traffic, its keys in order', async () => {
    const entry = await entryOf({})
    expect(Object.keys(entry)).toEqual(Object.keys(entry).toSorted())
    expect(entry).toMatchObject({
      category: ['order'],
      email: recipient,
      event: 'delivered',
      order: '42',
      sg_event_id: expect.stringMatching(/^[\w-]{22}$/),
      sg_message_id: expect.stringMatching(/^[\w-]{22}\.recvd-[\w-]+-68A1B2C3-7\.1$/),
      'smtp-id': '<order-42@example.com>',
      timestamp: 1755427523,
      tls: 1,
    })
  })

  test.each<[SimulatedEvent['type'], boolean]>([
    ['accepted', true],
    ['deferred', true],
    ['bounced', true],
    ['rejected', true],
    ['opened', false],
    ['clicked', false],
    ['complained', false],
    ['unsubscribed', false],
  ])('%s tells its SMTP id: %s', async (type, told) => {
    expect('smtp-id' in (await entryOf({ type }))).toBe(told)
  })

  test.each(['hard', 'soft', 'later'] as const)('of a %s bounce is read as one', async (bounce) => {
    const entry = await entryOf({ type: 'bounced', bounce })
    const asynchronous = bounce === 'later'
    const kind = bounce === 'soft' ? 'soft' : 'hard'
    expect(await readBack([entry])).toMatchObject([{ bounce: { kind, asynchronous } }])
    expect('order' in entry).toBe(!asynchronous)
  })

  test('of mail that was sent otherwise has no custom arguments', async () => {
    expect(await entryOf({ withoutOwnId: true })).not.toHaveProperty('order')
  })

  test('has the custom arguments of its own recipient, over those of the message', async () => {
    const sent = await message({
      custom_args: { environment: 'test', order: '0' },
      personalizations: [
        { to: mailboxes(2), custom_args: { order: '42' } },
        {
          to: [{ email: 'bob@example.com' }],
          cc: [{ email: 'carl@example.com' }],
          bcc: [{ email: 'audit@example.com' }],
          custom_args: { order: '43', gift: 'yes' },
        },
        { to: [{ email: 'dora@example.com' }] },
      ],
    })
    const told = (address: string) => {
      const { order, environment, gift, sg_message_id } = simulator.entry(
        sent,
        { type: 'delivered', recipient: address },
        now,
      )
      return { order, environment, gift, place: String(sg_message_id).split('.').at(-1) }
    }
    const environment = 'test'
    expect(told('ann+1@example.com')).toEqual({ order: '42', environment, place: '1' })
    for (const [index, name] of ['bob', 'carl', 'audit'].entries()) {
      const place = String(index + 2)
      expect(told(`${name}@example.com`)).toEqual({ order: '43', environment, gift: 'yes', place })
    }
    expect(told('dora@example.com')).toEqual({ order: '0', environment, place: '5' })
  })

  test('about somebody whom it was passed on to has the custom arguments too', async () => {
    const entry = await entryOf({ type: 'opened', recipient: 'erik@example.com' })
    expect(entry).toMatchObject({ email: 'erik@example.com', order: '42', environment: 'test' })
  })

  test('keeps its own keys from custom arguments', async () => {
    const custom_args = { event: 'open', timestamp: 'x', order: '42' }
    const sent = await message({ personalizations: [{ to: [{ email: recipient }], custom_args }] })
    const entry = simulator.entry(sent, { type: 'delivered', recipient }, now)
    expect(entry).toMatchObject({ event: 'delivered', timestamp: 1755427523, order: '42' })
  })
})

/** What the webhook makes of the entries; undefined when it refuses them. */
async function readBack(entries: unknown[], forged = false) {
  const webhook = sendgridWebhook({ publicKey: simulator.publicKey })
  const [signed, ...others] = simulator.webhooks(entries, now, forged)
  expect(others).toEqual([])
  if (!signed) throw new Error('there is no request')
  const reading = await webhook.read(webhookRequest(signed.headers, signed.body), now)
  return reading.kind === 'events' ? reading.events : undefined
}

describe('a webhook', () => {
  test('is laid out as real traffic is', () => {
    const bodies = simulator.webhooks([{ a: 'ü<' }, { b: 1 }], now).map(({ body }) => String(body))
    expect(bodies).toEqual(['[{"a":"ü<"},\r\n{"b":1}]\r\n'])
  })

  test('is signed with the key that the simulator shows, unless it is forged', async () => {
    await expect(readBack([])).resolves.toEqual([])
    await expect(readBack([], true)).resolves.toBeUndefined()
  })
})
