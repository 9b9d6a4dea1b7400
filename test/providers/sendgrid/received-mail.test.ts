import { describe, expect, test } from '@jest/globals'
import { type EventFact, type ParsedEvent, querySecret } from '../../../src/index.js'
import { eventId } from '../../../src/matching.js'
import { sendgridWebhook } from '../../../src/providers/sendgrid/index.js'
import { webhookRequest } from '../../webhook-request.js'
import { fieldsForm, type FormPart, formType, inboundForm, reply } from './inbound-form.js'
import { newKeys } from './signing.js'

const { inbound } = sendgridWebhook({
  publicKey: newKeys().publicKey,
  inbound: { guards: [querySecret('s3cr3t')] },
})

type Inbound = ParsedEvent & Extract<EventFact, { type: 'inbound' }>

/** What a form is read as. */
async function readForm(body: Buffer): Promise<Inbound> {
  const request = webhookRequest({ 'content-type': formType }, body)
  const reading = await inbound?.read(request, new Date())
  if (reading?.kind !== 'events') throw new Error(reading?.detail)
  for (const event of reading.events) if (event.type === 'inbound') return event
  throw new Error('it is no inbound mail')
}

/** What the mail of a form of fields is read as; `undefined` leaves a field out. */
async function readFields(change: Record<string, string | Buffer | undefined>) {
  const fields = Object.entries({ ...reply, ...change }).flatMap(
    ([name, value]): [string, string | Buffer][] => (value === undefined ? [] : [[name, value]]),
  )
  return (await readForm(fieldsForm(Object.fromEntries(fields)))).mail
}

describe('the event of an inbound mail', () => {
  test('has no time and no id, for SendGrid tells none', async () => {
    const event = await readForm(fieldsForm(reply))
    expect(event).toMatchObject({
      type: 'inbound',
      providerEvent: 'inbound',
      recipient: 'box@in.example.com',
      messageId: '<reply@example.com>',
      tags: [],
      metadata: {},
    })
    expect(event).not.toHaveProperty('occurredAt')
    expect(event).not.toHaveProperty('providerEventId')
    expect(event).not.toHaveProperty('providerMessageId')
  })

  test('is the same when the mail is posted again, its parts in another order', async () => {
    const parts = Object.entries(reply).map(([name, value]) => ({ name, value }))
    const first = await readForm(inboundForm(...parts))
    const second = await readForm(inboundForm(...parts.toReversed()))
    expect(eventId('sendgrid', second)).toBe(eventId('sendgrid', first))
  })

  test('is another for another reply to the same message', async () => {
    const answering = `${reply.headers}In-Reply-To: <a@geopod-ismtpd-8>\n`
    const ids = await Promise.all(
      ['first', 'second'].map(async (name) => {
        const headers = answering.replace('<reply@', `<${name}@`)
        return eventId('sendgrid', await readForm(fieldsForm({ ...reply, headers })))
      }),
    )
    expect(new Set(ids).size).toBe(2)
  })

  test('has what else was posted as its raw part, decoded and bounded', async () => {
    const { raw } = await readForm(
      inboundForm(
        ...Object.entries({
          ...reply,
          html: '<p>',
          subject: Buffer.from('Gr\x94\xe1e', 'latin1'),
          charsets: '{"subject":"cp850"}',
          spam_report: 'x'.repeat(20_000),
          sender_ip: '203.0.113.5',
          __proto__x: 'y',
          'something-new': '5',
        }).map(([name, value]) => ({ name, value })),
        { name: '__proto__', value: 'z' },
        { name: 'attachment1', value: 'x', filename: 'a', type: 'text/plain' },
        { name: 'attachment2', value: 'x' },
      ),
    )
    expect(raw).toEqual({
      envelope: reply.envelope,
      subject: 'Größe',
      charsets: '{"subject":"cp850"}',
      spam_report: 'x'.repeat(10_000),
      sender_ip: '203.0.113.5',
      __proto__x: 'y',
      'something-new': '5',
    })
  })

  test('has no raw part without end', async () => {
    const more = Array.from({ length: 1900 }, (_, at) => ({ name: `x${at}`, value: 'y' }))
    const { raw } = await readForm(inboundForm({ name: 'email', value: 'x' }, ...more))
    expect(Object.keys(Object(raw))).toHaveLength(100)
  })

  test.each(['email', 'rawEmail'])('has no source in its raw part: %s', async (name) => {
    const { raw } = await readForm(fieldsForm({ [name]: 'Subject: x\r\n\r\ny', from: 'a@b.c' }))
    expect(raw).toEqual({ from: 'a@b.c' })
  })
})

describe('every field', () => {
  test('is in a charset of its own', async () => {
    const mail = await readFields({
      subject: Buffer.from('Gr\x94\xe1e', 'latin1'),
      html: Buffer.from('<p>Gr\xf6\xdfe</p>', 'latin1'),
      text: Buffer.from('\x84Gr\xf6\xdfe\x93 \x85', 'latin1'),
      charsets: '{"subject":"cp850","html":"iso-8859-1","text":"windows-1252","to":"UTF-8"}',
      headers: undefined,
    })
    expect([mail.subject, mail.html, mail.text]).toEqual(['Größe', '<p>Größe</p>', '„Größe“ …'])
  })

  test.each<[string, string | undefined]>([
    ['not known', '{"text":"x-klingon"}'],
    ['not told', undefined],
    ['told in broken JSON', '{"text":'],
    ['no text', '{"text":5}'],
    ['told as a list', '["cp850"]'],
    ['told as null', 'null'],
  ])('is UTF-8 or windows-1252 where its charset is %s', async (_, charsets) => {
    expect((await readFields({ charsets, text: 'Größe' })).text).toBe('Größe')
    const bytes = Buffer.from('Gr\xf6\xdfe \x80', 'latin1')
    expect((await readFields({ charsets, text: bytes })).text).toBe('Größe €')
  })

  test.each(['text', 'html'])('%s is there only where it was posted', async (name) => {
    const mail = await readFields({ text: undefined, [name]: 'x' })
    expect(mail).toHaveProperty(name, 'x')
    expect(mail).not.toHaveProperty(name === 'text' ? 'html' : 'text')
  })

  test('that comes again is taken as it came first, and that is said', async () => {
    const { mail } = await readForm(
      inboundForm(...Object.entries(reply).map(([name, value]) => ({ name, value })), {
        name: 'envelope',
        value: '{"to":["eve@in.example.com"],"from":"eve@example.com"}',
      }),
    )
    expect(mail.envelope.to).toEqual(['box@in.example.com'])
    expect(mail.problems).toEqual([expect.stringContaining('"envelope" came again')])
  })

  test.each<[string, string, object]>([
    ['dkim', '{@example.com : pass}', { dkim: '{@example.com : pass}' }],
    [
      'dkim',
      '{@example.com : pass, @example.net : fail}',
      { dkim: '{@example.com : pass, @example.net : fail}' },
    ],
    ['dkim', 'none', { dkim: 'none' }],
    ['SPF', 'softfail', { spf: 'softfail' }],
    ['spam_score', '1.7', { spam: { score: 1.7 } }],
    ['spam_score', '-0.1', { spam: { score: -0.1 } }],
    ['spam_report', 'It looks like it.', { spam: { report: 'It looks like it.' } }],
  ])('%s: %s is told', async (name, value, told) => {
    expect(await readFields({ [name]: value })).toMatchObject(told)
  })

  test('that is not there is not made up: a report has no score of itself', async () => {
    const { spam } = await readFields({ spam_report: 'It looks like it.', spam_score: 'much' })
    expect(spam).toEqual({ report: 'It looks like it.' })
  })

  test.each([
    ['dkim', '', 'dkim'],
    ['SPF', ' ', 'spf'],
    ['spam_score', 'much', 'spam'],
    ['spam_score', '', 'spam'],
    ['spam_report', '', 'spam'],
  ])('%s: %j is not', async (field, value, name) => {
    expect(await readFields({ [field]: value })).not.toHaveProperty(name)
  })
})

describe('the envelope', () => {
  const envelope = (value: unknown) => JSON.stringify(value)

  test.each<[string, unknown, object]>([
    ['one recipient', { to: ['a@b.c'], from: 'd@e.f' }, { to: ['a@b.c'], from: 'd@e.f' }],
    ['several', { to: ['a@b.c', 'b@b.c'], from: 'd@e.f' }, { to: ['a@b.c', 'b@b.c'] }],
    ['the empty sender of a bounce', { to: ['a@b.c'], from: '' }, { from: '' }],
    ['no sender', { to: ['a@b.c'] }, { from: '' }],
    ['null as sender', { to: ['a@b.c'], from: null }, { from: '' }],
    ['brackets', { to: [' <a@b.c> '], from: '<d@e.f>' }, { to: ['a@b.c'], from: 'd@e.f' }],
    ['a text in place of the list', { to: 'a@b.c', from: 'd@e.f' }, { to: ['a@b.c'] }],
    ['other things in the list', { to: [null, {}, 'a@b.c'], from: '' }, { to: ['a@b.c'] }],
  ])('has %s', async (_, value, expected) => {
    const mail = await readFields({ envelope: envelope(value), to: 'Other <other@b.c>' })
    expect(mail.envelope).toMatchObject(expected)
    expect(mail.problems).toEqual([])
  })

  test.each<[string, string | undefined, number]>([
    ['missing', undefined, 1],
    ['broken', '{"to":["a@b.c"', 2],
    ['no object', '"a@b.c"', 2],
    ['without recipients', envelope({ to: [], from: '' }), 1],
    ['without anything', '{}', 1],
  ])('that is %s is made of what the mail itself says', async (_, value, problems) => {
    const sent = { to: 'Smith, Jane <jane@b.c>, b@b.c', from: 'Ann <ann@e.f>' }
    const mail = await readFields({ envelope: value, ...sent })
    expect(mail.envelope).toEqual({ to: ['jane@b.c', 'b@b.c'], from: 'ann@e.f' })
    expect(mail.problems).toHaveLength(problems)
    const silent = await readFields({ envelope: value })
    expect(silent.envelope).toEqual({ to: ['box@in.example.com'], from: 'ann@example.com' })
  })

  test('may be missing without any trace of a recipient', async () => {
    const event = await readForm(fieldsForm({ from: 'a@b.c' }))
    expect(event.mail.envelope).toEqual({ to: [], from: 'a@b.c' })
    expect(event).not.toHaveProperty('recipient')
  })
})

test('a field that somebody has forged does not make the event larger than a store takes', async () => {
  const long = 'x'.repeat(1_000_000)
  const { mail, raw } = await readForm(
    fieldsForm({
      ...reply,
      dkim: long,
      SPF: long,
      spam_report: long,
      envelope: JSON.stringify({ from: long, to: Array<string>(100_000).fill('a@b.c') }),
    }),
  )
  expect(mail).toMatchObject({ dkim: long.slice(0, 10_000), spf: long.slice(0, 10_000) })
  expect(mail.envelope.to).toHaveLength(1000)
  expect(JSON.stringify({ mail, raw }).length).toBeLessThan(100_000)
})

describe('the headers', () => {
  test('are parted into names and values, their folded lines joined', async () => {
    const block = [
      'Received: by mx1\r\n\twith SMTP id x;\r\n  Sun, 17 Aug 2025',
      'Received: by mx2',
      'X-Empty:',
      'no header at all',
      'X-Colon: a: b',
      'References: <1@x>\r\n <2@x>',
      '',
      '',
    ].join('\r\n')
    const { headers, references } = await readFields({ headers: block })
    expect(headers).toEqual([
      { name: 'Received', value: 'by mx1 with SMTP id x; Sun, 17 Aug 2025' },
      { name: 'Received', value: 'by mx2' },
      { name: 'X-Empty', value: '' },
      { name: 'X-Colon', value: 'a: b' },
      { name: 'References', value: '<1@x> <2@x>' },
    ])
    expect(references).toEqual(['<1@x>', '<2@x>'])
  })

  test.each([
    ['decoded', 'Ämter', 'ä@example.com'],
    ['as they were written', '=?utf-8?q?=C3=84mter?=', 'ä@example.com'],
    ['in a charset that few know', '=?cp850?q?=8Emter?=', 'ä@example.com'],
  ])('name subject and senders, %s', async (_, word) => {
    const mail = await readFields({
      headers: `From: ${word} <a@b.c>\nTo: ${word} <d@e.f>\nCc: ${word} <g@h.i>\nSubject: ${word}\n`,
      from: Buffer.from('\x8emter <a@b.c>', 'latin1'),
      to: Buffer.from('\x8emter <d@e.f>', 'latin1'),
      cc: Buffer.from('\x8emter <g@h.i>', 'latin1'),
      subject: Buffer.from('\x8emter', 'latin1'),
      charsets: '{"from":"cp850","to":"cp850","cc":"cp850","subject":"cp850"}',
    })
    expect(mail).toMatchObject({
      from: { name: 'Ämter', address: 'a@b.c' },
      to: [{ name: 'Ämter', address: 'd@e.f' }],
      cc: [{ name: 'Ämter', address: 'g@h.i' }],
      subject: 'Ämter',
    })
  })

  test('in another charset than UTF-8 are mended by what SendGrid read in them', async () => {
    const mail = await readFields({
      headers: Buffer.from('Subject: Gr\x94\xe1e\nTo: a@b.c\n', 'latin1'),
      subject: Buffer.from('Gr\x94\xe1e', 'latin1'),
      to: 'other@b.c',
      charsets: '{"subject":"cp850"}',
    })
    expect(mail).toMatchObject({ subject: 'Größe', to: [{ address: 'a@b.c' }] })
  })

  test('go before what SendGrid made of them, where they can be read', async () => {
    const headers = 'From: =?utf-8?q?Doe=2C_Jane?= <jane@b.c>\nSubject: whole\n'
    const mail = await readFields({ headers, from: 'Doe, Jane <other@b.c>', subject: 'made of it' })
    expect(mail).toMatchObject({
      from: { name: 'Doe, Jane', address: 'jane@b.c' },
      subject: 'whole',
    })
  })

  test('may be missing, and SendGrid may know better', async () => {
    const mail = await readFields({
      headers: undefined,
      from: 'Doe, Jane <jane@b.c>',
      to: 'Undisclosed recipients:;',
      cc: 'cc@b.c',
      subject: 'Hi',
    })
    expect(mail).toMatchObject({
      from: { name: 'Doe, Jane', address: 'jane@b.c' },
      to: [],
      cc: [{ name: '', address: 'cc@b.c' }],
      subject: 'Hi',
    })
  })

  test.each([
    ['short lines', 'a:\n'],
    ['folded lines', 'a: b\n c\n'],
    ['empty lines', '\n'],
    ['one line', 'a'],
    ['encoded words', 'Subject: =?x?q?a?= '],
  ])('of 9 MB of %s cost no more than seconds', async (_, piece) => {
    const began = performance.now()
    const headers = piece.repeat(9_000_000 / piece.length)
    const { problems } = await readFields({ headers, subject: 'x' })
    expect(performance.now() - began).toBeLessThan(5000)
    expect(problems[0]).toMatch(/^the headers are longer than/)
  })
})

describe('attachments', () => {
  const png = Buffer.from('89504e470d0a1a0a0dff0a', 'hex')
  const base64 = png.toString('base64')
  const fields = Object.entries(reply).map(([name, value]) => ({ name, value }))
  const info = (value: unknown): FormPart => ({
    name: 'attachment-info',
    value: JSON.stringify(value),
  })
  const file = (number: number, more: Partial<FormPart> = {}): FormPart => ({
    name: `attachment${number}`,
    value: png,
    filename: 'a.png',
    type: 'image/png',
    ...more,
  })
  const read = async (...parts: FormPart[]) => (await readForm(inboundForm(...parts))).mail

  test('are byte for byte what was sent', async () => {
    const { attachments, problems } = await read(...fields, file(1))
    expect(attachments).toEqual([
      {
        filename: 'a.png',
        contentType: 'image/png',
        size: png.length,
        content: { kind: 'embedded', base64 },
      },
    ])
    expect(problems).toEqual([])
  })

  test('come in the order of their numbers, before and after the fields', async () => {
    const named = (number: number) => file(number, { filename: `${number}.png` })
    const { attachments } = await read(named(10), named(2), ...fields, named(1))
    expect(attachments.map(({ filename }) => filename)).toEqual(['1.png', '2.png', '10.png'])
  })

  test('have the names that SendGrid tells, rather than those of the form', async () => {
    const { attachments } = await read(
      file(1),
      file(2),
      file(3),
      info({
        attachment3: { name: 'third.png' },
        attachment1: { filename: 'Größe.png', name: 'x', type: 'image/x-png' },
      }),
      ...fields,
    )
    expect(attachments).toMatchObject([
      { filename: 'Größe.png', contentType: 'image/x-png' },
      { filename: 'a.png', contentType: 'image/png' },
      { filename: 'third.png', contentType: 'image/png' },
    ])
  })

  test('have names in whatever charset they were', async () => {
    const named = Buffer.from('{"attachment1":{"filename":"Gr\x94\xe1e.png"}}', 'latin1')
    const charsets = { name: 'charsets', value: '{"filename":"cp850"}' }
    const told = { name: 'attachment-info', value: named }
    const { attachments } = await read(file(1), told, charsets, ...fields)
    expect(attachments).toMatchObject([{ filename: 'Größe.png' }])
    const utf8 = await read(file(1), info({ attachment1: { name: 'ü' } }), charsets, ...fields)
    expect(utf8.attachments).toMatchObject([{ filename: 'ü' }])
  })

  test.each(['\\share\\mail\\a.msg', '../../a.msg', '/etc/a.msg'])(
    'have names without folders: %s',
    async (filename) => {
      const { attachments } = await read(file(1), info({ attachment1: { filename } }), ...fields)
      expect(attachments).toMatchObject([{ filename: 'a.msg' }])
    },
  )

  test.each<[string, FormPart[]]>([
    ['that is told with it', [info({ attachment1: { 'content-id': '<logo@x>' } })]],
    ['that is told beside', [{ name: 'content-ids', value: '{"<logo@x>":"attachment1"}' }]],
  ])('that the HTML speaks of are found by their id, %s', async (_, told) => {
    const html = { name: 'html', value: '<img src="cid:logo@x">' }
    const { attachments, inline } = await read(file(1), file(2), html, ...told, ...fields)
    expect(attachments).toHaveLength(1)
    expect(inline).toMatchObject({ 'logo@x': { contentId: 'logo@x', content: { base64 } } })
  })

  test.each<[string, string]>([
    ['attachment-info', '{"attachment1":'],
    ['attachment-info', '5'],
    ['content-ids', '{'],
    ['charsets', 'cp850'],
  ])('are there although %s is broken: %s', async (name, value) => {
    const { attachments, problems } = await read(file(1), { name, value }, ...fields)
    expect(attachments).toMatchObject([{ filename: 'a.png', content: { base64 } }])
    expect(problems).toEqual([`the field "${name}" is no JSON object`])
  })

  test('may have no name at all', async () => {
    const bare = { name: 'attachment1', value: png }
    const { attachments } = await read(bare, file(2, { filename: '' }), ...fields)
    expect(attachments).toMatchObject([
      { contentType: 'application/octet-stream', content: { base64 } },
      { contentType: 'image/png' },
    ])
    for (const attachment of attachments) expect(attachment).not.toHaveProperty('filename')
  })

  test('that did not come are missed', async () => {
    const { problems } = await read(file(1), { name: 'attachments', value: '2' }, ...fields)
    expect(problems).toEqual(['SendGrid counted 2 attachments, and 1 came'])
    const whole = await read(file(1), { name: 'attachments', value: '1' }, ...fields)
    expect(whole.problems).toEqual([])
    for (const value of ['0', '', 'none']) {
      expect((await read({ name: 'attachments', value }, ...fields)).problems).toEqual([])
    }
  })

  test('under the names of what every object has are no more than that', async () => {
    const odd = ['__proto__', 'constructor'].map((name) => file(1, { name }))
    const { attachments } = await read(...odd, info({}), ...fields)
    expect(attachments).toHaveLength(2)
  })
})

describe('a mail that is posted whole', () => {
  const source = [
    'From: Ann <ann@example.com>',
    'To: box@in.example.com',
    'Subject: Re: Order',
    'Message-ID: <raw@example.com>',
    'Content-Type: text/plain; charset=iso-8859-1',
    '',
    'Gr\xf6\xdfe',
  ].join('\r\n')
  const whole = Buffer.from(source, 'latin1')

  test.each(['email', 'rawEmail'])('is taken apart: %s', async (name) => {
    const { mail } = await readForm(fieldsForm({ [name]: whole, envelope: reply.envelope }))
    expect(mail).toMatchObject({
      envelope: { to: ['box@in.example.com'], from: 'ann@example.com' },
      messageId: '<raw@example.com>',
      subject: 'Re: Order',
      text: expect.stringMatching(/^Größe\s*$/),
      problems: [],
    })
    expect(mail).not.toHaveProperty('html')
  })

  test('stands in "email" before "rawEmail", if there is anything in it', async () => {
    const other = 'Subject: other\r\n\r\nx'
    expect((await readForm(fieldsForm({ rawEmail: other, email: whole }))).mail.subject).toBe(
      'Re: Order',
    )
    expect((await readForm(fieldsForm({ email: '', rawEmail: other }))).mail.subject).toBe('other')
  })

  test('has text and HTML of the form where it has none itself', async () => {
    const { mail } = await readForm(
      fieldsForm({ email: 'Subject: x\r\nContent-Type: image/png\r\n\r\n', text: 't', html: 'h' }),
    )
    expect([mail.text, mail.html]).toEqual(['t', 'h'])
  })

  test('has the subject that SendGrid read, where its own is in a charset that few know', async () => {
    const { mail } = await readForm(
      fieldsForm({
        email: 'Subject: =?cp850?q?Gr=94=E1e?=\r\n\r\nx',
        subject: Buffer.from('Gr\x94\xe1e', 'latin1'),
        charsets: '{"subject":"cp850"}',
      }),
    )
    expect(mail.subject).toBe('Größe')
  })

  test('may be empty', async () => {
    const { mail } = await readForm(fieldsForm({ email: '', from: 'a@b.c' }))
    expect(mail).toMatchObject({ from: { address: 'a@b.c' }, attachments: [], headers: [] })
  })

  test('is attached as it came when it is too much', async () => {
    const { mail } = await readForm(fieldsForm({ email: 'Subject: x\n\n' + 'a\n'.repeat(50_000) }))
    expect(mail.problems).toContainEqual(expect.stringContaining('attached as it came'))
    expect(mail.attachments).toMatchObject([{ contentType: 'message/rfc822' }])
  })
})

describe('the message that is answered', () => {
  const answering = async (headers: string) =>
    (await readForm(fieldsForm({ ...reply, headers: reply.headers + headers }))).providerMessageId

  test.each([
    ['In-Reply-To: <Zk3vQm0pT6-xYc1hR_8LdA@geopod-ismtpd-8>', 'Zk3vQm0pT6-xYc1hR_8LdA'],
    ['In-Reply-To: <2Y2JQkdFSGmQAIdjAOswdQ@geopod-ismtpd-3-0>', '2Y2JQkdFSGmQAIdjAOswdQ'],
    [
      'In-Reply-To: <LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>',
      'LRzXl_NHStOGhQ4kofSm_A',
    ],
    ['In-Reply-To: <14c5d75ce93.dfd.64b469@ismtpd-555>', '14c5d75ce93.dfd.64b469'],
    ['References: <a@example.com> <first@geopod-ismtpd-1>', 'first'],
    ['References: <first@geopod-ismtpd-1>\n <last@geopod-ismtpd-2>\n <own@example.com>', 'last'],
    ['References: <first@geopod-ismtpd-1>\nIn-Reply-To: <last@geopod-ismtpd-2>', 'last'],
    ['In-Reply-To: <own@example.com>\nReferences: <first@geopod-ismtpd-1>', 'first'],
    ['In-Reply-To: <own@example.com>', undefined],
    ['In-Reply-To: <a@geopod-ismtpd-8.example.com>', undefined],
    ['In-Reply-To: <a@ismtpd1.sendgrid.net.example.com>', undefined],
    ['In-Reply-To: <a@example.com@geopod-ismtpd-8>', undefined],
    ['X-Reply-To: <a@geopod-ismtpd-8>', undefined],
  ])("bears SendGrid's id: %s", async (headers, id) => {
    expect(await answering(`${headers}\n`)).toBe(id)
  })
})
