import { describe, expect, test } from '@jest/globals'
import { createRequire } from 'node:module'
import { Readable } from 'node:stream'
import { isDeepStrictEqual } from 'node:util'
import type { OutgoingMail } from '../src/provider-client.js'
import type { MailOptions } from '../src/transporter.js'
import { outsideClient, outsideTransport } from './outside-transport.js'

const require = createRequire(__filename)
const versions = ['nodemailer-6', 'nodemailer-7', 'nodemailer-8', 'nodemailer-9', 'nodemailer']

describe.each(versions)('with %s', (version) => {
  const nodemailer: typeof import('nodemailer') = require(version)

  async function resolve(mail: MailOptions): Promise<OutgoingMail> {
    const client = outsideClient()
    await nodemailer.createTransport(outsideTransport(client)).sendMail(mail)
    const [request] = client.sent
    if (!request) throw new Error('nothing was sent')
    return request.mail
  }

  const base: MailOptions = { from: 'shop@example.com', to: 'ann@example.com', subject: 'Hi' }

  test('the head is read from every form of address', async () => {
    const mail = await resolve({
      ...base,
      from: '"Acme, Inc." <shop@example.com>',
      to: ['Ann Ö <ann@example.com>', { name: 'Bob', address: 'bob@bücher.example' }],
      cc: 'Team: carl@example.com, dora@example.com;',
      bcc: { name: '', address: 'audit@example.com' },
      replyTo: ['help@example.com', 'Sales <sales@example.com>'],
    })
    expect(mail.from).toEqual([{ name: 'Acme, Inc.', address: 'shop@example.com' }])
    expect(mail.to).toEqual([
      { name: 'Ann Ö', address: 'ann@example.com' },
      { name: 'Bob', address: 'bob@xn--bcher-kva.example' },
    ])
    expect(mail.cc.map(({ address }) => address)).toEqual(['carl@example.com', 'dora@example.com'])
    expect(mail.bcc).toEqual([{ name: '', address: 'audit@example.com' }])
    expect(mail.replyTo).toEqual([
      { name: '', address: 'help@example.com' },
      { name: 'Sales', address: 'sales@example.com' },
    ])
    expect(mail.subject).toBe('Hi')
    expect(mail.messageId).toMatch(/^<[^<>\s]+@example\.com>$/)
  })

  test('an address that stands in several places is kept in the first', async () => {
    const mail = await resolve({
      ...base,
      to: ['ann@example.com', 'ANN@example.com'],
      cc: 'Ann@Example.com, bob@example.com',
      bcc: 'bob@example.com, carl@example.com',
    })
    const addresses = [mail.to, mail.cc, mail.bcc].map((list) => list.map(({ address }) => address))
    expect(addresses).toEqual([['ann@example.com'], ['bob@example.com'], ['carl@example.com']])
  })

  test('a single attachment needs no list', async () => {
    const single: object = { attachments: { filename: 'a.txt', content: 'x' } }
    const mail = await resolve({ ...base, ...single })
    expect(mail.attachments.map(({ filename, content }) => [filename, String(content)])).toEqual([
      ['a.txt', 'x'],
    ])
  })

  test('content is read in every form it can have', async () => {
    const mail = await resolve({
      ...base,
      text: Readable.from([Buffer.from('Dear '), Buffer.from('Ann')]),
      html: { content: 'PGI+SGk8L2I+', encoding: 'base64' } as never,
      attachments: [
        { filename: 'a.txt', content: 'plain ü' },
        { filename: 'b.pdf', content: Buffer.from('%PDF') },
        { filename: 'c.bin', content: 'AAEC', encoding: 'base64' },
        { filename: 'd.json', content: Readable.from([Buffer.from('{}')]) },
        { path: __filename },
        { path: 'data:image/gif;base64,R0lGODlh', cid: 'pixel' },
        { filename: 'e.png', content: 'x', cid: '<logo@example.com>' },
        { filename: 'empty.txt', content: '' },
        { filename: 'no-cid.png', content: 'x', cid: '' },
      ],
    })
    expect(mail.text).toBe('Dear Ann')
    expect(mail.html).toBe('<b>Hi</b>')
    const read = mail.attachments.map(({ filename, contentType, content, contentId }) => [
      filename,
      contentType,
      content.toString().slice(0, 8),
      contentId,
    ])
    expect(read.slice(0, 4)).toEqual([
      ['a.txt', 'text/plain', 'plain ü', undefined],
      ['b.pdf', 'application/pdf', '%PDF', undefined],
      ['c.bin', 'application/octet-stream', '\0\u0001\u0002', undefined],
      ['d.json', 'application/json', '{}', undefined],
    ])
    expect(read[4]?.[0]).toBe('resolved-mail.test.ts')
    expect(read[5]?.slice(2)).toEqual(['GIF89a', 'pixel'])
    expect(read[6]?.[3]).toBe('logo@example.com')
    expect(read[7]?.[2]).toBe('')
    expect(read[8]?.[3]).toBeUndefined()
  })

  test('headers come out as Nodemailer composes them', async () => {
    const mail = await resolve({
      ...base,
      sender: 'office@example.com',
      headers: { 'X-Order': '42', 'x-name': 'Zoë' },
      inReplyTo: '<m-0@example.com>',
      references: ['<m-0@example.com>', '<m-1@example.com>'],
      priority: 'high',
      list: { unsubscribe: { url: 'https://example.com/u', comment: 'Leave' } },
    })
    const headers = Object.fromEntries(
      mail.headers.map(({ name, value }) => [name.toLowerCase(), value]),
    )
    expect(headers).toMatchObject({
      sender: 'office@example.com',
      'x-order': '42',
      'x-name': '=?UTF-8?Q?Zo=C3=AB?=',
      'in-reply-to': '<m-0@example.com>',
      references: '<m-0@example.com> <m-1@example.com>',
      'x-priority': '1 (Highest)',
      importance: 'High',
      'list-unsubscribe': '<https://example.com/u> (Leave)',
    })
    for (const own of ['from', 'to', 'subject', 'message-id', 'date', 'mime-version']) {
      expect(headers).not.toHaveProperty(own)
    }
  })

  test.each<[string, unknown, string]>([
    ['without them', 'm-1@example.com', '<m-1@example.com>'],
    ['as a number', 42, '<42>'],
    ['as a prepared header', { prepared: true, value: '<m-1@example.com>' }, '<m-1@example.com>'],
  ])('a Message-ID that is given %s has its brackets', async (_, messageId, read) => {
    const given: object = { messageId }
    expect((await resolve({ ...base, ...given })).messageId).toBe(read)
  })

  test('line breaks make no header of their own', async () => {
    const mail = await resolve({
      ...base,
      from: { name: 'Shop\r\nBcc: evil@example.com', address: 'shop@example.com' },
      subject: 'Hi\r\nBcc: evil@example.com',
      headers: { 'X-A': 'b\r\nX-Evil: yes' },
    })
    expect(mail.from).toEqual([{ name: 'Shop Bcc: evil@example.com', address: 'shop@example.com' }])
    expect(mail.subject).toBe('Hi Bcc: evil@example.com')
    expect(mail.headers.map(({ name }) => name.toLowerCase())).not.toContain('x-evil')
    expect(mail.bcc).toEqual([])
  })

  test("the caller's objects stay as they are", async () => {
    const make = (): MailOptions => ({
      ...base,
      headers: { 'X-A': 'b' },
      html: '<b>Hi</b>',
      attachments: [{ path: __filename }, { content: 'x', cid: 'a' }],
      tags: ['a'],
      metadata: { b: 'c' },
    })
    const mail = make()
    await resolve(mail)
    expect(isDeepStrictEqual(mail, make())).toBe(true)
  })
})
