import { equal, match, ok } from 'node:assert/strict'
import type { MailOptions } from '../transporter.js'
import { like } from './comparing.js'
import {
  eachOf,
  type OpenedProvider,
  plainMail,
  type ProviderChecks,
  type ProviderUnderTest,
  refusalOf,
  transporterOf,
} from './provider-steps.js'

/** What is looked for in the request; no encoding of a mail changes a letter of it. */
const mark = 'Qx7markedcontentZk9'

/** An id that any provider may have given to a template. */
const template = `d-${'0a'.repeat(16)}`

/** Fields that messages have, each with the mark in it. Whoever carries none of them refuses by name. */
const fields: Record<string, MailOptions> = {
  cc: { cc: `${mark}@example.org` },
  bcc: { bcc: `${mark}@example.org` },
  replyTo: { replyTo: `${mark}@example.org` },
  sender: { sender: `${mark}@example.org` },
  'the name of a recipient': { to: `${mark} <ann@example.org>` },
  subject: { subject: mark },
  text: { text: mark },
  html: { html: `<p>${mark}</p>` },
  amp: { html: '<p>Hello</p>', amp: `<!doctype html><html ⚡4email>${mark}</html>` },
  icalEvent: { icalEvent: { content: `BEGIN:VCALENDAR\r\nX-A:${mark}\r\nEND:VCALENDAR\r\n` } },
  alternatives: { alternatives: [{ contentType: 'text/x-thing', content: mark }] },
  attachments: { attachments: [{ filename: 'a.bin', content: Buffer.from(mark) }] },
  'the filename of attachments': { attachments: [{ filename: `${mark}.txt`, content: 'a' }] },
  'inline attachments': {
    html: '<img src="cid:logo@example.com">',
    attachments: [{ filename: 'a.png', content: Buffer.from(mark), cid: 'logo@example.com' }],
  },
  headers: { headers: { 'X-Order': mark } },
  list: { list: { unsubscribe: `https://example.com/${mark}` } },
  inReplyTo: { inReplyTo: `<${mark}@example.org>` },
  references: { references: [`<${mark}@example.org>`] },
  messageId: { messageId: `<${mark}@example.org>` },
  raw: { raw: `From: a@example.com\r\nTo: b@example.org\r\nSubject: ${mark}\r\n\r\nHello\r\n` },
  'envelope.to': { envelope: { from: 'shop@example.com', to: [`${mark}@example.org`] } },
  'envelope.from': { envelope: { from: `${mark}@example.com`, to: ['ann@example.org'] } },
  tags: { tags: [mark] },
  metadata: { metadata: { order: mark } },
  templateData: { templateId: template, templateData: { order: mark } },
  recipientData: {
    html: '<p>{{order}}</p>',
    recipientData: { 'ann.recipient@example.org': { metadata: { order: mark } } },
  },
}

/** A field reaches the provider, or is refused by its name before anything is sent. */
async function carriedOrRefused(opened: OpenedProvider, name: string): Promise<void> {
  const sending = transporterOf(opened).sendMail({ ...plainMail, ...fields[name] })
  const refusal = await sending.then(
    () => undefined,
    (error: unknown) => String(error),
  )
  const { requests } = opened.running
  if (refusal !== undefined) {
    equal(requests.length, 0, `it was sent, and refused all the same: ${refusal}`)
    return match(refusal, byName(name), `${name} is refused without its name: ${refusal}`)
  }
  const sent = requests.map(({ body }) => body.toString('latin1')).join('\n')
  ok(
    forms.some((form) => sent.includes(form)),
    `${name} is in nothing that was sent, in silence`,
  )
}

// An error may name a part of the field, or only the field.
const byName = (name: string): RegExp => new RegExp(name.split(' ').at(-1)?.split('.')[0] ?? name)

/** The mark as it is, and in base64, where that begins with it or a byte or two later. */
const forms = [mark, mark.toLowerCase(), ...[0, 1, 2].map(inBase64)]

function inBase64(offset: number): string {
  const encoded = Buffer.from(`${'x'.repeat(offset)}${mark}`).toString('base64')
  // The ends share their letters with what stands beside it.
  return encoded.slice(offset === 0 ? 0 : 4, -4)
}

async function thrownByName(opened: OpenedProvider, name: string): Promise<void> {
  const mail = { ...plainMail, ...opened.subject.unsupported[name] }
  const error = await refusalOf(transporterOf(opened).sendMail(mail))
  ok(error.message.includes(name), `the error does not name it: ${error.message}`)
  like(error, { name: 'SendError', category: 'validation', retryable: false, outcome: 'not-sent' })
  equal(opened.running.requests.length, 0, 'it was sent all the same')
}

async function sentWithoutIt(opened: OpenedProvider, name: string): Promise<void> {
  const mail = { ...plainMail, ...opened.subject.unsupported[name] }
  await transporterOf(opened, { unsupported: 'ignore' }).sendMail(mail)
  equal(opened.running.messages.length, 1)
}

/** That nothing of a message is dropped in silence. */
export function fieldChecks({ unsupported }: ProviderUnderTest): ProviderChecks {
  const names = Object.keys(unsupported)
  return {
    ...eachOf(
      Object.keys(fields),
      (name) => `${name}: it reaches the provider, or is refused by name`,
      carriedOrRefused,
    ),
    ...eachOf(names, (name) => `${name} cannot be carried, and is refused by name`, thrownByName),
    ...eachOf(names, (name) => `without ${name} it is sent where that is wanted`, sentWithoutIt),
  }
}
