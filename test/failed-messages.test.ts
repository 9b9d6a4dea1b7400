import { expect, test } from '@jest/globals'
import nodemailer from 'nodemailer'
import { Readable } from 'node:stream'
import {
  createCorrelator,
  keepFailed,
  type MailOptions,
  memoryStore,
  SendError,
} from '../src/index.js'
import { sendgridSimulator, sendgridTransport } from '../src/providers/sendgrid/index.js'
import { startProvider } from '../src/testing/index.js'
import { outsideClient, outsideTransport } from './outside-transport.js'

const mail: MailOptions = {
  from: 'shop@example.com',
  to: 'ann@example.org',
  subject: 'Hello',
  text: 'Hi',
}

const down = (outcome: SendError['outcome'] = 'not-sent') =>
  new SendError('it is down', { category: 'server', retryable: false, outcome })

/** A transporter that fails so often, and then sends. */
function failing(times: number, error = down()) {
  let left = times
  const client = outsideClient()
  const { send } = client
  client.send = async (request) => {
    if (left > 0) {
      left -= 1
      throw error
    }
    return send(request)
  }
  const transporter = nodemailer.createTransport(outsideTransport(client, { retries: 0 }))
  return { client, transporter }
}

const rejection = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )

test('what was not sent is kept, and sent again as it was', async () => {
  const { client, transporter } = failing(2)
  const failed = keepFailed(transporter)
  const error = await rejection(transporter.sendMail({ ...mail, tags: ['a'] }))
  expect(error).toBeInstanceOf(SendError)
  const [kept] = failed.list()
  expect(kept).toMatchObject({ message: { subject: 'Hello', tags: ['a'] }, error })
  const again = await rejection(failed.retry(kept?.trackingId ?? ''))
  expect(again).toBeInstanceOf(SendError)
  const [later, ...others] = failed.list()
  expect(others).toEqual([])
  expect(later?.trackingId).not.toBe(kept?.trackingId)
  expect(await failed.retry(later?.trackingId ?? '')).toMatchObject({
    accepted: ['ann@example.org'],
  })
  expect(failed.list()).toEqual([])
  expect(client.sent.map(({ mail: sent }) => sent.tags)).toEqual([['a']])
})

test('what sending again does not mend is kept too, and sent all the same when it is asked for', async () => {
  const provider = await startProvider(sendgridSimulator({ apiKey: 'SG.key' }))
  const correlator = createCorrelator({ store: memoryStore() })
  await correlator.suppressions.add('bob@example.org')
  const transporter = nodemailer.createTransport(
    sendgridTransport({ apiKey: 'SG.key', baseUrl: provider.url, correlator }),
  )
  const failed = keepFailed(transporter)
  provider.failNext({ kind: 'answer', status: 401 })
  await rejection(transporter.sendMail(mail))
  await rejection(transporter.sendMail({ ...mail, to: 'bob@example.org' }))
  const [refused, suppressed] = failed.list()
  expect([refused, suppressed]).toMatchObject([
    { error: { category: 'auth', retryable: false } },
    { error: { category: 'rejected', retryable: false } },
  ])
  // The key is right by now, and the address is still suppressed.
  expect(await failed.retry(refused?.trackingId ?? '')).toMatchObject({
    accepted: ['ann@example.org'],
  })
  const error = await rejection(failed.retry(suppressed?.trackingId ?? ''))
  expect(error).toBeInstanceOf(SendError)
  expect(failed.list()).toMatchObject([{ error }])
  await provider.close()
  await correlator.close()
})

test('what was sent with a callback is kept too', async () => {
  const { transporter } = failing(1)
  const failed = keepFailed(transporter)
  const error = await new Promise((resolve) => transporter.sendMail(mail, resolve))
  expect(failed.list()).toMatchObject([{ error }])
})

test('what may have been sent is not kept', async () => {
  const { transporter } = failing(1, down('unknown'))
  const failed = keepFailed(transporter)
  await rejection(transporter.sendMail(mail))
  expect(failed.list()).toEqual([])
})

test.each<[what: string, change: MailOptions]>([
  ['text', { text: Readable.from(['Hi']) }],
  ['an attachment', { attachments: [{ filename: 'a.txt', content: Readable.from(['a']) }] }],
])('what has a stream for %s is not kept, which is told', async (_, change) => {
  const { transporter } = failing(1)
  const dropped: SendError[] = []
  const failed = keepFailed(transporter, { onDropped: (error) => dropped.push(error) })
  const error = await rejection(transporter.sendMail({ ...mail, ...change }))
  expect(failed.list()).toEqual([])
  expect(dropped).toEqual([error])
})

test('no more are kept than that, and the oldest makes room, which is told', async () => {
  const { transporter } = failing(3)
  const dropped: SendError[] = []
  const failed = keepFailed(transporter, { limit: 2, onDropped: (error) => dropped.push(error) })
  for (const subject of ['1', '2', '3']) await rejection(transporter.sendMail({ ...mail, subject }))
  expect(failed.list().map(({ message }) => message.subject)).toEqual(['2', '3'])
  expect(dropped).toHaveLength(1)
})

test('once stopped, nothing is kept', async () => {
  const { transporter } = failing(2)
  const failed = keepFailed(transporter)
  await rejection(transporter.sendMail(mail))
  failed.stop()
  await rejection(transporter.sendMail(mail))
  expect(failed.list()).toEqual([])
  await expect(failed.retry('x')).rejects.toThrow('no message x is kept')
})

test.each([0, -1, 1.5, NaN])('a limit of %d is refused', (limit) => {
  expect(() => keepFailed(failing(0).transporter, { limit })).toThrow('whole number from 1')
})
