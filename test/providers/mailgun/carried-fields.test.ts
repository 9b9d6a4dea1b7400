import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import nodemailer from 'nodemailer'
import { isPlain } from '../../../src/deep-merge.js'
import { type MailOptions, SendError } from '../../../src/index.js'
import { mailgunSimulator, mailgunTransport } from '../../../src/providers/mailgun/index.js'
import { type RunningProvider, startProvider } from '../../../src/testing/index.js'
import { type Endpoint, startEndpoint } from '../../endpoint.js'
import { fileContent, type MailField, mailFields, plainMail, plugins } from '../../mail-fields.js'
import { arrived, documentOf } from './arrived.js'
import { carriedFields } from './carried-fields.js'

const apiKey = 'key-3ax6xnjp29jd6fds4gc373sgvjxteol0'
const domain = 'mg.example.com'

let provider: RunningProvider
let files: Endpoint

beforeEach(async () => {
  provider = await startProvider(mailgunSimulator({ apiKey, domain }))
  files = await startEndpoint((request, response) => {
    request.resume()
    response.end(fileContent)
  })
})
afterEach(() => Promise.all([provider.close(), files.close()]))

const isField = (name: string): name is MailField => name in mailFields
const rows = Object.entries(carriedFields).flatMap(([name, carried]) =>
  isField(name) ? [{ name, carried }] : [],
)

/** All of a value but its streams, which are read. */
function copyOf(value: unknown): unknown {
  if (value instanceof Readable) return 'a stream'
  if (Array.isArray(value)) return value.map(copyOf)
  if (!isPlain(value)) return structuredClone(value)
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, copyOf(part)]))
}

test('every field is in the table', () => {
  expect(rows.map(({ name }) => name)).toEqual(Object.keys(mailFields))
})

describe('a message with', () => {
  test.each(rows)('$name arrives as the table says', async ({ name, carried }) => {
    const transporter = nodemailer.createTransport(
      mailgunTransport({ apiKey, domain, baseUrl: provider.url, retries: 0 }),
    )
    plugins[name]?.(transporter)
    const mail: MailOptions = {
      ...plainMail,
      ...mailFields[name]({ file: `${files.url}/mail-fields.ts` }),
    }
    const given = copyOf(mail)
    const error: unknown = await transporter.sendMail(mail).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    if (carried.as === 'refused') {
      if (!(error instanceof SendError)) throw new Error(`it is no SendError: ${String(error)}`)
      expect(error).toMatchObject({ category: 'validation', outcome: 'not-sent' })
      expect(error.message).toContain(carried.names)
      expect(provider.requests).toEqual([])
    } else {
      expect(error).toBeUndefined()
      const [call, ...others] = await Promise.all(provider.requests.map(arrived))
      if (!call) throw new Error('no call came')
      expect(others).toEqual([])
      const document = documentOf(call)
      expect(document === undefined ? 'field' : 'MIME').toBe(carried.as)
      if (carried.as === 'MIME') await carried.check(String(document), call)
      else await carried.check(call)
    }
    expect(copyOf(mail)).toEqual(given)
  })
})
