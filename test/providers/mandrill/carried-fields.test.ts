import { describe, expect, test } from '@jest/globals'
import { isPlain } from '../../../src/deep-merge.js'
import { fields } from '../../../src/payload.js'
import { startEndpoint } from '../../endpoint.js'
import { fileContent, type MailField, mailFields, plainMail, plugins } from '../../mail-fields.js'
import { type Arrived, carriedFields } from './carried-fields.js'
import { closing, failureOf, startMandrill, transporterTo } from './sending.js'
import type { MailOptions } from '../../../src/transporter.js'
import type { RunningProvider } from '../../../src/testing/index.js'

/** Serves the file that some messages are made of. */
async function startFile(): Promise<{ file: string }> {
  const { url } = closing(
    await startEndpoint((request, response) => {
      request.resume()
      response.end(fileContent)
    }),
  )
  return { file: `${url}/mail-fields.ts` }
}

function arrivedAt({ requests }: RunningProvider): Arrived {
  const calls = requests.map(({ body }) => fields(JSON.parse(body.toString())))
  const [call = {}] = calls
  return { calls, call, message: fields(call['message']) }
}

const rows = Object.entries(carriedFields)

describe('a message with', () => {
  test.each(rows)('%s arrives as the table says', async (field, carried) => {
    const name = nameOf(field)
    const urls = await startFile()
    const provider = await startMandrill()
    const transporter = transporterTo(provider)
    plugins[name]?.(transporter)
    const given = (): MailOptions => ({ ...plainMail, ...mailFields[name](urls) })
    const mail = given()
    const before = copyOf(mail)
    const sending = transporter.sendMail(mail)
    if (carried.as === 'refused') {
      const error = await failureOf(sending)
      expect(error).toMatchObject({ category: 'validation', outcome: 'not-sent' })
      expect(error.message).toContain(carried.names)
      expect(provider.messages).toEqual([])
    } else {
      await sending
      const arrived = arrivedAt(provider)
      const raw = arrived.call['raw_message']
      expect(typeof raw).toBe(carried.as === 'MIME' ? 'string' : 'undefined')
      expect(provider.requests.map(({ path }) => path.endsWith('/send-raw'))).toEqual(
        provider.requests.map(() => carried.as === 'MIME'),
      )
      if (carried.as === 'MIME') await carried.check(String(raw), arrived)
      else await carried.check(arrived)
    }
    expect(mail).toEqual(before)
  })
})

/** Objects and lists anew, all the way down; streams and keys as they are. */
function copyOf<Value>(value: Value): Value
function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((entry) => copyOf<unknown>(entry))
  if (Buffer.isBuffer(value)) return Buffer.from(value)
  if (!isPlain(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, copyOf(entry)]))
}

function nameOf(field: string): MailField {
  if (isField(field)) return field
  throw new Error(`no field is called ${field}`)
}

const isField = (name: string): name is MailField => name in mailFields
