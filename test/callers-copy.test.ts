import { describe, expect, test } from '@jest/globals'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { MailOptions } from '../src/transporter.js'
import { outsideClient, outsideTransport } from './outside-transport.js'

const require = createRequire(__filename)
const versions = ['nodemailer-6', 'nodemailer-7', 'nodemailer-8', 'nodemailer-9', 'nodemailer']
const pixel = 'data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA='

const messages: [string, () => MailOptions][] = [
  ['content from files', () => ({ html: { path: __filename }, text: { path: __filename } })],
  [
    'images in its HTML, to be attached',
    () => ({ attachDataUrls: true, html: `<img src="${pixel}">`, attachments: [{ path: pixel }] }),
  ],
  ['attachments', () => ({ text: 'x', attachments: [{ path: join(__dirname, 'tsconfig.json') }] })],
  ['headers', () => ({ text: 'x', headers: { 'X-Own': 'yes' } })],
]

describe.each(versions)('with %s a message stays as it was', (version) => {
  const nodemailer: typeof import('nodemailer') = require(version)

  test.each(messages)('that has %s, and can be sent again', async (_, make) => {
    const head = { from: 'shop@example.com', to: ['ann@example.org'], subject: 'Hi' }
    const [message, untouched] = [
      { ...head, ...make() },
      { ...head, ...make() },
    ]
    const client = outsideClient()
    const transporter = nodemailer.createTransport(outsideTransport(client), {
      headers: { 'X-Default': 'yes' },
    })
    await transporter.sendMail(message)
    expect(message).toEqual(untouched)
    await transporter.sendMail(message)
    expect(message).toEqual(untouched)
    const [first, second] = client.sent.map(({ mail }) =>
      mail.attachments.map(({ content }) => content),
    )
    expect(second).toEqual(first)
  })
})

test("what is no message is Nodemailer's to judge, and headers of other kinds are ours", async () => {
  const nodemailer: typeof import('nodemailer') = require('nodemailer')
  const transporter = nodemailer.createTransport(outsideTransport(outsideClient()))
  const mail = { from: 'a@b.c', to: 'd@e.f', headers: JSON.parse('null') }
  const given = Object.assign(mail, { headers: new Headers({ 'X-A': 'b' }) })
  await expect(Reflect.apply(transporter.sendMail, transporter, [given])).rejects.toThrow(
    'cannot carry headers',
  )
})
