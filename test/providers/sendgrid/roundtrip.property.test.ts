import { domainToASCII } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { decodeWords } from 'postal-mime'
import type { MailOptions } from '../../../src/index.js'
import { canonicalAddress, ownIdKey } from '../../../src/matching.js'
import type { SendgridRequest } from '../../../src/providers/sendgrid/request.js'
import { reservedKey } from '../../../src/providers/sendgrid/reserved-keys.js'
import { mail, sentBodies, startSendgrid } from './sending.js'

// Some five seconds for each of six, so that all of it takes half a minute.
const bounds = { numRuns: 250, interruptAfterTimeLimit: 5000, markInterruptAsFailure: false }
const oneTest = 10_000

let sendgrid: Awaited<ReturnType<typeof startSendgrid>>

beforeAll(async () => {
  sendgrid = await startSendgrid()
})
afterAll(() => sendgrid.provider.close())

/** What arrives of a mail with these options, and the id that it was sent under. */
async function arrived(
  options: MailOptions,
): Promise<{ body: SendgridRequest; trackingId: string }> {
  const { provider, transporter } = sendgrid
  const { trackingId } = await transporter.sendMail({ ...mail, ...options })
  const body: SendgridRequest = sentBodies(provider).at(-1)
  provider.requests.length = 0
  provider.messages.length = 0
  return { body, trackingId }
}

/** One line of any characters, with none around it that a parser may drop. */
const line = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
  .map((text) => text.replace(/[\p{C}\p{Z}]+/gu, ' ').trim())
  .filter((text) => text !== '')

const localPart = fc
  .stringMatching(/^[a-z\d!#$%&'*+/=?^_`{|}~-]{1,20}(?:\.[A-Z\d+_-]{1,10})?$/)
  .filter((text) => text.length < 40)
const domain = fc
  .tuple(
    fc.constantFrom('example', 'bücher', '例え', 'xn--bcher-kva', 'a-b', 'ß', 'почта'),
    fc.constantFrom('com', 'example', 'рф', 'co.uk'),
  )
  .map((labels) => labels.join('.'))
const mailbox = fc.record({
  name: fc.oneof(fc.constant(''), line),
  address: fc.tuple(localPart, domain).map((parts) => parts.join('@')),
})
type Mailbox = { name: string; address: string }

/** No two of them are one to a provider. */
const mailboxes = (least: number) =>
  fc.uniqueArray(mailbox, {
    minLength: least,
    maxLength: 5,
    selector: ({ address }) => canonicalAddress(address),
  })

const written = ({ name, address }: Mailbox) => {
  const at = address.lastIndexOf('@')
  const email = `${address.slice(0, at)}@${domainToASCII(address.slice(at + 1))}`
  return { email, ...(name !== '' && { name }) }
}

const headers = fc
  .dictionary(fc.stringMatching(/^X-[A-Za-z][\w-]{0,20}$/), line, { maxKeys: 5 })
  .filter(
    (given) =>
      new Set(Object.keys(given).map((name) => name.toLowerCase())).size ===
      Object.keys(given).length,
  )

/** By names in lower case, without the Message-ID, as a reader of the message decodes them. */
const decoded = (given: Record<string, string> = {}) =>
  Object.fromEntries(
    Object.entries(given)
      .map(([name, value]) => [name.toLowerCase(), decodeWords(value)])
      .filter(([name]) => name !== 'message-id'),
  )
const lowerNames = (given: Record<string, string>) =>
  Object.fromEntries(Object.entries(given).map(([name, value]) => [name.toLowerCase(), value]))

const anyText = fc.string({ unit: 'grapheme', maxLength: 60 })
const metadata = fc.dictionary(
  anyText.filter((key) => !reservedKey(key) && key !== ownIdKey && key !== '__proto__'),
  anyText,
  { maxKeys: 6 },
)

describe('what arrives, decoded, is what was given:', () => {
  test(
    'addresses and their names',
    async () => {
      const given = fc.record({
        from: mailbox,
        replyTo: mailboxes(0),
        all: mailboxes(1),
        cut: fc.nat(5),
      })
      await fc.assert(
        fc.asyncProperty(given, async ({ from, replyTo, all, cut }) => {
          const to = all.slice(0, 1 + cut)
          const cc = all.slice(1 + cut, 3 + cut)
          const bcc = all.slice(3 + cut)
          const { body } = await arrived({ from, replyTo, to, cc, bcc })
          expect(body.from).toEqual(written(from))
          expect(body.reply_to_list ?? []).toEqual(replyTo.map(written))
          const [personalization] = body.personalizations
          expect(personalization?.to).toEqual(to.map(written))
          expect(personalization?.cc ?? []).toEqual(cc.map(written))
          expect(personalization?.bcc ?? []).toEqual(bcc.map(written))
        }),
        bounds,
      )
    },
    oneTest,
  )

  test(
    'headers',
    async () => {
      await fc.assert(
        fc.asyncProperty(headers, async (given) => {
          const { body } = await arrived({ headers: given })
          expect(decoded(body.headers)).toEqual(lowerNames(given))
        }),
        bounds,
      )
    },
    oneTest,
  )

  test(
    'the names and the bytes of files',
    async () => {
      const file = fc.record({
        filename: line,
        content: fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      })
      await fc.assert(
        fc.asyncProperty(fc.array(file, { maxLength: 4 }), async (attachments) => {
          const { body } = await arrived({ attachments })
          expect(
            (body.attachments ?? []).map(({ filename, content }) => ({
              filename,
              content: Buffer.from(content, 'base64'),
            })),
          ).toEqual(attachments)
        }),
        bounds,
      )
    },
    oneTest,
  )

  test(
    'metadata',
    async () => {
      await fc.assert(
        fc.asyncProperty(metadata, async (given) => {
          const { body, trackingId } = await arrived({ metadata: given })
          expect(body.personalizations.map(({ custom_args }) => custom_args)).toEqual([
            { ...given, [ownIdKey]: trackingId },
          ])
        }),
        bounds,
      )
    },
    oneTest,
  )

  test(
    'the subject and every form of the text',
    async () => {
      const form = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 100 })
      const given = fc.record({
        subject: line,
        text: form,
        html: form,
        amp: form,
        watchHtml: form,
        alternative: form,
      })
      await fc.assert(
        fc.asyncProperty(given, async ({ alternative, ...texts }) => {
          const alternatives = [{ contentType: 'text/x-any; charset=utf-8', content: alternative }]
          const { body } = await arrived({ ...texts, alternatives })
          expect(body.subject).toBe(texts.subject)
          expect(body.content?.map(({ value }) => value)).toEqual([
            texts.text,
            texts.html,
            texts.amp,
            texts.watchHtml,
            alternative,
          ])
        }),
        bounds,
      )
    },
    oneTest,
  )

  test(
    'what each recipient has of its own',
    async () => {
      const entry = fc.record({
        data: fc.dictionary(
          anyText.filter((key) => key !== '__proto__'),
          fc.jsonValue({ maxDepth: 2 }),
        ),
        metadata,
        headers,
      })
      const given = fc.record({
        to: mailboxes(1),
        metadata,
        headers,
        entries: fc.array(entry, { minLength: 1, maxLength: 5 }),
      })
      await fc.assert(
        fc.asyncProperty(given, async ({ to, entries, ...all }) => {
          // Some have none, where there are fewer of them.
          const pairs = to.map((recipient, index) => ({ recipient, own: entries[index] }))
          const { body, trackingId } = await arrived({
            ...all,
            to,
            templateId: 'd-0123456789abcdef0123456789abcdef',
            recipientData: Object.fromEntries(
              pairs.flatMap(({ recipient, own }) => (own ? [[recipient.address, own]] : [])),
            ),
          })
          expect(body.personalizations.map(({ to: own }) => own)).toEqual(
            to.map((recipient) => [written(recipient)]),
          )
          for (const [index, { own }] of pairs.entries()) {
            const personalization = body.personalizations[index]
            expect(personalization?.dynamic_template_data ?? {}).toEqual(
              JSON.parse(JSON.stringify(own?.data ?? {})),
            )
            expect(personalization?.custom_args).toEqual({
              ...all.metadata,
              ...own?.metadata,
              [ownIdKey]: trackingId,
            })
            expect(decoded({ ...body.headers, ...personalization?.headers })).toEqual({
              ...lowerNames(all.headers),
              ...lowerNames(own?.headers ?? {}),
            })
          }
        }),
        bounds,
      )
    },
    oneTest,
  )
})
