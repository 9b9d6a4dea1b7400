import { describe, expect, jest, test } from '@jest/globals'
import type { WebhookReading } from '../../../src/index.js'
import { webhookRequest } from '../../webhook-request.js'
import { jsonPost, type Post, sample, signingKey } from './reading.js'

/** What a webhook makes of a post while a package is another. */
async function readWith(name: string, factory: () => unknown, { type, body }: Post) {
  let reading: Promise<WebhookReading> | undefined
  await jest.isolateModulesAsync(async () => {
    jest.doMock(name, factory)
    const isolated: typeof import('../../../src/providers/mailgun/index.js') = jest.requireActual(
      '../../../src/providers/mailgun/index',
    )
    const webhook = isolated.mailgunWebhook({ signingKey })
    reading = webhook.read(webhookRequest({ 'content-type': type }, body), new Date())
    await reading.catch(() => {})
  })
  jest.dontMock(name)
  return reading
}

const missing = (name: string) => (): never => {
  throw Object.assign(new Error(`Cannot find module '${name}'`), { code: 'MODULE_NOT_FOUND' })
}

describe('without a package that reads mail', () => {
  test.each(['postal-mime', 'iconv-lite', '@fastify/busboy'])(
    '%s, a mail comes again, and what to install is said',
    async (name) => {
      const mail = sample('inbound-attachments.request.multipart')
      await expect(readWith(name, missing(name), mail)).rejects.toThrow(`npm install ${name}`)
    },
  )

  test.each([
    ['postal-mime', jsonPost({ event: 'opened' })],
    ['postal-mime', sample('legacy-bounced.request.multipart')],
    ['iconv-lite', sample('legacy-bounced.request.multipart')],
    ['@fastify/busboy', sample('legacy-clicked.request.form')],
  ])('%s, an event is read all the same', async (name, post) => {
    await expect(readWith(name, missing(name), post)).resolves.toHaveProperty('kind', 'events')
  })
})

test.each(['inbound-parsed.request.form', 'inbound-mime.request.form'])(
  'a mail that a package cannot read is unknown, with the reason and the payload: %s',
  async (file) => {
    const odd = () => ({
      __esModule: true,
      default: (): void => {},
      addressParser(text: string) {
        if (text !== '') throw new Error('too odd')
        return []
      },
      decodeWords: (text: string) => text,
    })
    await expect(readWith('postal-mime', odd, sample(file))).resolves.toMatchObject({
      kind: 'events',
      events: [
        {
          type: 'unknown',
          error: 'the mail could not be read: too odd',
          raw: { recipient: 'support@in.example.com' },
        },
      ],
    })
  },
)
