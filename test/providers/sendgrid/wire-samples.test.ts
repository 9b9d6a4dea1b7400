import { expect, test } from '@jest/globals'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import nodemailer from 'nodemailer'
import {
  sendgridSimulator,
  sendgridTransport,
  sendgridWebhook,
} from '../../../src/providers/sendgrid/index.js'
import { formType } from './inbound-form.js'
import { apiKey } from './sending.js'
import { newKeys, signedHeaders } from './signing.js'

const sample = (name: string): Buffer => readFileSync(join(__dirname, 'samples', name))
const now = new Date('2025-08-17T10:00:00Z')

test('the simulator takes the full example of a send call', async () => {
  const { answer, message } = await sendgridSimulator({ apiKey }).answer(
    {
      method: 'POST',
      path: '/v3/mail/send',
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
      body: sample('mail-send.json'),
    },
    now,
  )
  expect([answer.status, answer.body]).toEqual([202, ''])
  expect(message?.recipients.map(({ address }) => address)).toEqual([
    'ann@example.com',
    'carl@example.com',
    'audit@example.com',
    'bob@example.com',
  ])
})

test('the sample of an answer is read off the wire', async () => {
  const head = sample('answer.txt').toString().replaceAll('\n', '\r\n')
  const server = createServer((socket) => {
    let request = ''
    socket.on('data', (piece) => {
      request += piece.toString('latin1')
      const [before = '', body] = request.split('\r\n\r\n')
      const length = Number(/^content-length: (\d+)/im.exec(before)?.[1])
      if (body?.length === length) socket.end(`${head}\r\n`)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const transport = sendgridTransport({ apiKey, baseUrl: `http://127.0.0.1:${port}` })
  const info = await nodemailer.createTransport(transport).sendMail({
    from: 'shop@example.com',
    to: 'ann@example.com',
    subject: 'Hello',
    text: 'Hello',
  })
  expect(info).toMatchObject({
    response: '202 Accepted',
    providerMessageId: 'Zk3vQm0pT6-xYc1hR_8LdA',
    accepted: ['ann@example.com'],
  })
  server.close()
})

test('the sample of inbound mail is read, with the line ends that a form has', async () => {
  const body = Buffer.from(sample('inbound-parse.txt').toString().replaceAll('\n', '\r\n'))
  const policy = newKeys()
  const { inbound } = sendgridWebhook({
    publicKey: policy.publicKey,
    inbound: { publicKey: policy.publicKey },
  })
  const headers: Record<string, string | undefined> = {
    ...signedHeaders(policy.privateKey, body),
    'content-type': formType,
  }
  const reading = await inbound?.read(
    { method: 'POST', target: '/', header: (name) => headers[name], body },
    now,
  )
  expect(reading).toMatchObject({
    kind: 'events',
    events: [
      {
        type: 'inbound',
        mail: {
          subject: 'Re: Order',
          text: 'Thanks',
          envelope: { from: 'ann@example.com', to: ['box@in.example.com'] },
          headers: expect.arrayContaining([
            { name: 'In-Reply-To', value: '<msg_01J5Z@example.com>' },
          ]),
        },
      },
    ],
  })
})
