import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { addressParser, decodeWords } from 'postal-mime'
import { type Fields, fields } from '../../../src/payload.js'
import type { MailOptions } from '../../../src/transporter.js'
import { bytesOf, read, valuesOf } from './documents.js'
import { lastCall, mail, startMandrill, transporterTo } from './sending.js'

const bounds = { numRuns: 500, interruptAfterTimeLimit: 2500, markInterruptAsFailure: false }
const oneRun = 20_000

/** Sends mails with these to a Mandrill of its own, and gives the body of the call of each. */
async function sender(): Promise<(changes: MailOptions) => Promise<Fields>> {
  const provider = await startMandrill()
  const transporter = transporterTo(provider)
  return async (changes) => {
    await transporter.sendMail(mail(changes))
    return fields(lastCall(provider))
  }
}

/** The message of each, as fields. */
async function asFields(): Promise<(changes: MailOptions) => Promise<Fields>> {
  const send = await sender()
  return async (changes) => fields((await send(changes))['message'])
}

/** The document of each, for something is in it that only a document says. */
async function asDocuments(): Promise<(changes: MailOptions) => Promise<string>> {
  const send = await sender()
  const attachments = [{ filename: 'a.txt', content: 'x', contentDisposition: 'inline' } as const]
  return async (changes) => String((await send({ attachments, ...changes }))['raw_message'])
}

/** Text of one line that somebody may well write; white space around it is nobody's. */
const line = (length: number) =>
  fc
    .string({ unit: 'grapheme', maxLength: length })
    .filter((text) => !/[\p{Cc}\p{Cf}\u2028\u2029]/u.test(text))
    .map((text) => text.trim())

const awkward = fc.constantFrom(
  'Doe, Jane',
  '"quoted"',
  'back\\slash',
  'a@b',
  '<angle>',
  '=?UTF-8?Q?a?=',
  'Größe 注文 🏔',
  "it's; a: (comment)",
  'x'.repeat(120),
  'word '.repeat(40).trim(),
  'wörd '.repeat(40).trim(),
)

const text = (length: number) => fc.oneof(line(length), awkward)
/** Nodemailer leaves an encoded word as it is, whatever the field: it is what it decodes to. */
const unencoded = (length: number) => text(length).filter((given) => !/=\?.*\?=/.test(given))
/** Nodemailer leaves out a header without a value. */
const headerValue = (length: number) => unencoded(length).filter((given) => given !== '')
const name = fc.oneof(
  { weight: 1, arbitrary: fc.constant('') },
  { weight: 5, arbitrary: unencoded(40) },
)

const address = fc
  .tuple(
    fc.stringMatching(/^[a-z0-9]([a-z0-9.+_-]{0,20}[a-z0-9])?$/).filter((at) => !at.includes('..')),
    fc.constantFrom('example.org', 'mail.example.com', 'xn--bcher-kva.example'),
  )
  .map((parts) => parts.join('@'))

const mailboxes = fc.uniqueArray(fc.record({ name, address }), {
  minLength: 1,
  maxLength: 6,
  selector: ({ address: one }) => one,
})

const named = (each: fc.Arbitrary<string>) =>
  fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9]{0,9}$/), each, { maxKeys: 4 })

const header = (names: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(names).map(([key, value]) => [`X-P${key}`, value]))

const metadata = named(text(20)).filter(
  (given) => Buffer.byteLength(JSON.stringify(given)) < 250 - 55,
)

const files = fc.array(
  fc.record({
    filename: unencoded(60).filter((given) => given !== ''),
    content: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  }),
  { minLength: 1, maxLength: 3 },
)

describe('what arrives as fields is what was given:', () => {
  test(
    'addresses and names',
    async () => {
      const messageOf = await asFields()
      await fc.assert(
        fc.asyncProperty(mailboxes, mailboxes, async (to, [from]) => {
          const message = await messageOf({ to, ...(from && { from }) })
          expect([message['from_email'], message['from_name'] ?? '']).toEqual([
            from?.address,
            from?.name,
          ])
          expect(message['to']).toEqual(
            to.map((one) => ({
              email: one.address,
              ...(one.name !== '' && { name: one.name }),
              type: 'to',
            })),
          )
        }),
        bounds,
      )
    },
    oneRun,
  )

  test(
    'headers',
    async () => {
      const messageOf = await asFields()
      await fc.assert(
        fc.asyncProperty(named(headerValue(200)), mailboxes, async (given, replyTo) => {
          const headers = header(given)
          const message = await messageOf({ headers, replyTo })
          const { 'Message-Id': _, 'Reply-To': answersTo, ...others } = fields(message['headers'])
          expect(
            Object.fromEntries(
              Object.entries(others).map(([key, value]) => [
                key.toLowerCase(),
                decodeWords(String(value)),
              ]),
            ),
          ).toEqual(lowerCased(headers))
          expect(addressParser(String(answersTo))).toEqual(replyTo)
        }),
        bounds,
      )
    },
    oneRun,
  )

  test(
    'files',
    async () => {
      const messageOf = await asFields()
      await fc.assert(
        fc.asyncProperty(files, async (attachments) => {
          // As a document they go only where that is possible.
          const message = await messageOf({ attachments, recipientData: {} })
          const list = message['attachments']
          expect(
            (Array.isArray(list) ? list.map(fields) : []).map(({ name: filename, content }) => ({
              filename,
              content: Buffer.from(String(content), 'base64'),
            })),
          ).toEqual(attachments)
        }),
        bounds,
      )
    },
    oneRun,
  )

  test(
    'metadata and a subject',
    async () => {
      const messageOf = await asFields()
      await fc.assert(
        fc.asyncProperty(metadata, text(200), async (given, subject) => {
          const message = await messageOf({ metadata: given, subject })
          expect(message['subject'] ?? '').toBe(subject)
          const { mailtrail_id: _, ...others } = fields(message['metadata'])
          expect(others).toEqual(given)
        }),
        bounds,
      )
    },
    oneRun,
  )
})

const lowerCased = (headers: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([key, value]) => [key.toLowerCase(), value]))

describe('what arrives as a document is what was given:', () => {
  test(
    'addresses and names',
    async () => {
      const documentOf = await asDocuments()
      await fc.assert(
        fc.asyncProperty(mailboxes, mailboxes, async (to, [from]) => {
          const document = await documentOf({ to, ...(from && { from }) })
          const mime = await read(document)
          expect(mime.from).toEqual(from)
          expect(mime.to).toEqual(to)
        }),
        bounds,
      )
    },
    oneRun,
  )

  test(
    'headers',
    async () => {
      const documentOf = await asDocuments()
      await fc.assert(
        fc.asyncProperty(named(headerValue(200)), mailboxes, async (given, replyTo) => {
          const headers = header(given)
          const document = await documentOf({ headers, replyTo })
          for (const [key, expected] of Object.entries(headers)) {
            expect(valuesOf(document, key).map(decodeWords)).toEqual([expected])
          }
          expect((await read(document)).replyTo).toEqual(replyTo)
        }),
        bounds,
      )
    },
    oneRun,
  )

  test(
    'files',
    async () => {
      const documentOf = await asDocuments()
      await fc.assert(
        fc.asyncProperty(files, async (attachments) => {
          const document = await documentOf({ attachments, headers: { 'X-Trace': ['a', 'b'] } })
          const mime = await read(document)
          expect(
            mime.attachments.map((part) => ({ filename: part.filename, content: bytesOf(part) })),
          ).toEqual(attachments)
        }),
        bounds,
      )
    },
    oneRun,
  )

  test(
    'metadata, template data and a subject',
    async () => {
      const documentOf = await asDocuments()
      await fc.assert(
        fc.asyncProperty(
          metadata,
          named(text(300)),
          unencoded(200),
          async (given, data, subject) => {
            const document = await documentOf({ metadata: given, templateData: data, subject })
            const [own = '{}'] = valuesOf(document, 'X-MC-Metadata')
            const { mailtrail_id: _, ...others } = fields(JSON.parse(own))
            expect(others).toEqual(given)
            const [vars = '{}'] = valuesOf(document, 'X-MC-MergeVars')
            expect(JSON.parse(vars)).toEqual(data)
            expect((await read(document)).subject ?? '').toBe(subject)
            const head = document.slice(0, document.indexOf('\r\n\r\n'))
            expect(Math.max(...head.split('\r\n').map((one) => one.length))).toBeLessThanOrEqual(
              998,
            )
            expect(head).toMatch(/^[\t\r\n -~]*$/)
          },
        ),
        bounds,
      )
    },
    oneRun,
  )
})
