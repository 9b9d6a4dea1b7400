import { domainToASCII } from 'node:url'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { addressParser, decodeWords } from 'postal-mime'
import type { MailOptions } from '../../../src/index.js'
import type { RunningProvider } from '../../../src/testing/index.js'
import {
  type Arrived,
  arrived,
  bytesOf,
  documentOf,
  headerValues,
  mailboxesIn,
  readDocument,
} from './arrived.js'
import { failureOf, mail, startMailgun, transporterTo } from './sending.js'

const bounds = { numRuns: 150 }

const longest = 30_000

/** What makes a message go each way. */
const routes: [string, MailOptions][] = [
  ['as fields, where they can say it', {}],
  ['as a document', { date: new Date('2026-03-01T08:00:00Z') }],
]

/** The one call that a message makes, taken apart. */
async function callOf(
  provider: RunningProvider,
  message: MailOptions,
): Promise<Arrived & { document?: string }> {
  provider.requests.length = 0
  await transporterTo(provider).sendMail(message)
  const [request, ...others] = provider.requests
  if (!request || others.length > 0) throw new Error('it is not one call')
  const call = await arrived(request)
  const document = documentOf(call)
  return { ...call, ...(document && { document: String(document) }) }
}

// What names, values and files are made of: letters of several scripts, and what has a meaning somewhere.
const letters = [...'abcXYZ019 äß注文ğ🎉…"\\\'(),;:<>@[].%=?_-+*/&#!$^`{|}~']
const line = (maxLength: number) =>
  fc
    .string({ unit: fc.constantFrom(...letters), minLength: 1, maxLength })
    // One line with neither spaces around it nor several of them, which mail does not keep.
    .map((text) => text.replace(/ +/g, ' ').trim())
    .filter((text) => text !== '')

const address = fc
  .tuple(
    fc.string({
      unit: fc.constantFrom(...'abcXYZ019!#$&*+/=?^_`{|}~-'),
      minLength: 1,
      maxLength: 20,
    }),
    fc.constantFrom('shop.test', 'Mail.Example', 'bücher.example', '注文.example'),
  )
  .map(([local, host]) => `${local}@${host}`)

const mailbox = fc.record({ name: fc.oneof(fc.constant(''), line(30)), address })

/** An address as it is on the wire. */
const onWire = (given: string): string => {
  const [local, host = ''] = given.split('@')
  return `${local}@${domainToASCII(host)}`
}

describe.each(routes)('%s', (_, route) => {
  test(
    'addresses and their names arrive',
    async () => {
      const provider = await startMailgun()
      await fc.assert(
        fc.asyncProperty(
          mailbox,
          fc.uniqueArray(mailbox, {
            minLength: 2,
            maxLength: 4,
            selector: (one) => onWire(one.address).toLowerCase(),
          }),
          async (from, [to, ...cc]) => {
            if (!to) throw new Error('nobody is there')
            const { fields, document } = await callOf(provider, mail({ ...route, from, to, cc }))
            const expected = [[from], [to], cc].map((boxes) =>
              boxes.map((box) => ({ name: box.name, address: onWire(box.address) })),
            )
            const arrivedBoxes = ['from', 'to', 'cc'].map((name) =>
              document === undefined
                ? (fields[name] ?? []).flatMap((value) => addressParser(value))
                : mailboxesIn(document, name),
            )
            expect(arrivedBoxes).toEqual(expected)
            if (document !== undefined) {
              expect(fields['to']).toEqual(
                expected
                  .slice(1)
                  .flat()
                  .map((box) => box.address),
              )
            }
          },
        ),
        bounds,
      )
    },
    longest,
  )

  test(
    'subjects and headers arrive',
    async () => {
      const provider = await startMailgun()
      await fc.assert(
        fc.asyncProperty(
          line(120),
          fc.string({ unit: fc.constantFrom(...'abcXYZ09-'), minLength: 1, maxLength: 20 }),
          line(200),
          async (subject, suffix, value) => {
            const name = `X-A${suffix}`
            const { fields, document } = await callOf(
              provider,
              mail({ ...route, subject, headers: { [name]: value } }),
            )
            const byName = Object.entries(fields).find(
              ([field]) => field.toLowerCase() === `h:${name}`.toLowerCase(),
            )
            const values =
              document === undefined
                ? [fields['subject'], byName?.[1].map(decodeWords)]
                : [
                    [(await readDocument(document)).subject],
                    headerValues(document, name).map(decodeWords),
                  ]
            expect(values).toEqual([[subject], [value]])
          },
        ),
        bounds,
      )
    },
    longest,
  )

  test(
    'files arrive by their names, byte for byte',
    async () => {
      const provider = await startMailgun()
      await fc.assert(
        fc.asyncProperty(line(60), fc.uint8Array({ maxLength: 300 }), async (filename, bytes) => {
          const content = Buffer.from(bytes)
          const message = mail({
            ...route,
            attachments: [{ filename, content, contentType: 'application/x-thing' }],
          })
          if (Object.keys(route).length === 0 && /%(?:22|0[ad])/i.test(filename)) {
            const error = await failureOf(transporterTo(provider).sendMail(message))
            expect(error.message).toContain('attachments[0].filename')
            return
          }
          const { files, document } = await callOf(provider, message)
          const [file, ...others] =
            document === undefined
              ? files.map((one) => [one.name, one.type, one.content])
              : (await readDocument(document)).attachments.map((one) => [
                  one.filename,
                  one.mimeType,
                  bytesOf(one),
                ])
          expect([file, others]).toEqual([[filename, 'application/x-thing', content], []])
        }),
        bounds,
      )
    },
    longest,
  )

  test(
    'metadata arrives, or it is refused by its name',
    async () => {
      const provider = await startMailgun()
      await fc.assert(
        fc.asyncProperty(
          fc.dictionary(
            fc.string({
              unit: fc.constantFrom(...letters, '\r', '\n'),
              minLength: 1,
              maxLength: 12,
            }),
            fc.string({
              unit: fc.constantFrom(...letters, '\r', '\n', '\t', '\r\n'),
              maxLength: 40,
            }),
            { maxKeys: 5 },
          ),
          async (metadata) => {
            const lost = Object.entries(metadata).filter(
              ([key, value]) =>
                /["\r\n]|%22|%0[ad]/i.test(key) || value !== value.replace(/\r\n?|\n/g, '\r\n'),
            )
            const message = mail({ ...route, metadata })
            if (lost.length > 0) {
              const error = await failureOf(transporterTo(provider).sendMail(message))
              expect(error.message).toContain('cannot carry metadata')
              return
            }
            const { fields } = await callOf(provider, message)
            const arrivedMetadata = Object.entries(fields).flatMap(([name, values]) =>
              name.startsWith('v:') && name !== 'v:mailtrail_id' ? [[name.slice(2), values]] : [],
            )
            expect(Object.fromEntries(arrivedMetadata)).toEqual(
              Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, [value]])),
            )
          },
        ),
        bounds,
      )
    },
    longest,
  )
})
