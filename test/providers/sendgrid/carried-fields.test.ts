import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { isPlain } from '../../../src/deep-merge.js'
import { type MailOptions, SendError } from '../../../src/index.js'
import type { RunningProvider } from '../../../src/testing/index.js'
import { type Endpoint, startEndpoint } from '../../endpoint.js'
import { fileContent, type MailField, mailFields, plainMail, plugins } from '../../mail-fields.js'
import { carriedFields, templateId } from './carried-fields.js'
import { sentBodies, startSendgrid } from './sending.js'

let files: Endpoint
const running: RunningProvider[] = []

beforeAll(async () => {
  files = await startEndpoint((_, response) => void response.end(fileContent))
})
afterAll(() => files.close())
afterEach(async () => {
  await Promise.all(running.splice(0).map((provider) => provider.close()))
})

function mailWith(name: MailField): MailOptions {
  const mail = { ...plainMail, ...mailFields[name]({ file: files.url }) }
  return mail.templateId === undefined ? mail : { ...mail, templateId }
}

/** Objects and lists anew, and all else as it is: streams can be read once. */
function copyOf<Value>(value: Value): Value
function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((entry) => copyOf<unknown>(entry))
  if (!isPlain(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, copyOf(entry)]))
}

/** Sends the mail of a row, and looks at what the caller gave. */
async function send(name: MailField) {
  const { provider, transporter } = await startSendgrid({ retries: 0 })
  running.push(provider)
  plugins[name]?.(transporter)
  const mail = mailWith(name)
  const before = copyOf(mail)
  const ending = await transporter.sendMail(mail).catch((error: unknown) => error)
  expect(mail).toStrictEqual(before)
  return { provider, mail, ending }
}

describe('the field', () => {
  const names = Object.keys(mailFields).filter((name): name is MailField => name in carriedFields)

  test.each(names)('%s', async (name) => {
    const carried = carriedFields[name]
    const { provider, mail, ending } = await send(name)
    if (carried.as === 'refused') {
      expect(ending).toBeInstanceOf(SendError)
      expect(ending).toMatchObject({
        category: 'validation',
        outcome: 'not-sent',
        message: expect.stringContaining(carried.names),
      })
      expect(provider.requests).toEqual([])
      return
    }
    // SendGrid has no other way.
    expect(carried.as).toBe('field')
    expect(ending).toMatchObject({ provider: 'sendgrid', rejected: [], pending: [] })
    expect(provider.requests).toMatchObject([
      { method: 'POST', path: '/v3/mail/send', headers: { 'content-type': 'application/json' } },
    ])
    expect(provider.messages).toHaveLength(1)
    const [body] = sentBodies(provider)
    const trackingId = String(Reflect.get(Object(ending), 'trackingId'))
    if (carried.as === 'field') await carried.check({ mail, trackingId, body })
  })

  test('stands in the column, each of them', () => {
    expect(Object.keys(carriedFields)).toEqual(Object.keys(mailFields))
  })
})
