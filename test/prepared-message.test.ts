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

describe('a Message-ID', () => {
  const nodemailer: typeof import('nodemailer') = require('nodemailer')
  const idOf = async (change: object): Promise<string> => {
    const client = outsideClient()
    const transporter = nodemailer.createTransport(outsideTransport(client), {
      from: 'default@defaults.example',
    })
    await transporter.sendMail({ to: 'ann@example.org', subject: 'Hi', text: 'x', ...change })
    return client.sent[0]?.mail.messageId ?? ''
  }
  const unique = '[\\da-f]{8}(?:-[\\da-f]{4}){3}-[\\da-f]{12}'

  test.each<[string, object, string]>([
    ['an address', { from: 'shop@example.com' }, 'example.com'],
    ['an address with a name', { from: 'Shop <shop@mail.example.com>' }, 'mail.example.com'],
    ['an object', { from: { name: 'Shop', address: 'shop@example.com' } }, 'example.com'],
    ['a list', { from: ['shop@example.com', 'desk@example.net'] }, 'example.com'],
    ['two in a text', { from: 'shop@example.com, desk@example.net' }, 'example.com'],
    ['letters beyond ASCII', { from: 'shop@bücher.example' }, 'xn--bcher-kva.example'],
    ['the default', {}, 'defaults.example'],
    ['other headers', { from: 'a@example.com', headers: { 'X-Message-Id': 'x' } }, 'example.com'],
  ])('is of the domain of the sender, who is %s, and like no other', async (_, change, domain) => {
    const [first, second] = [await idOf(change), await idOf(change)]
    expect(first).toMatch(new RegExp(`^<${unique}@${domain.replaceAll('.', '\\.')}>$`))
    expect(second).not.toBe(first)
  })

  test.each<[string, object]>([
    ['the field', { messageId: '<own@example.com>' }],
    ['a header', { headers: { 'message-ID': '<own@example.com>' } }],
    ['a header in a list', { headers: [{ key: 'Message-Id', value: '<own@example.com>' }] }],
  ])('of the message itself, in %s, stays', async (_, change) => {
    expect(await idOf({ from: 'shop@example.com', ...change })).toBe('<own@example.com>')
  })
})
