import { createRequire } from 'node:module'
import { describe, expect, test } from '@jest/globals'
import { mandrillTransport } from '../../../src/providers/mandrill/index.js'
import type { MailOptions } from '../../../src/transporter.js'
import { apiKey, mail, startMandrill } from './sending.js'

const require = createRequire(__filename)
const versions = ['nodemailer-6', 'nodemailer-7', 'nodemailer-8', 'nodemailer-9', 'nodemailer']

const picture = { content: 'x', cid: 'one@example.com' }
const html = '<img src="cid:one@example.com">'

describe.each(versions)('with %s', (version) => {
  const nodemailer: typeof import('nodemailer') = require(version)

  test.each<[string, 'send' | 'send-raw', MailOptions]>([
    ['a picture', 'send', { html, attachments: [{ ...picture, filename: 'a.png' }] }],
    [
      'a picture by its type',
      'send',
      { html, attachments: [{ ...picture, filename: 'a', contentType: 'IMAGE/png' }] },
    ],
    ['a sound', 'send-raw', { html, attachments: [{ ...picture, filename: 'a.mp3' }] }],
    ['a sound without HTML', 'send-raw', { attachments: [{ ...picture, filename: 'a.mp3' }] }],
    [
      'a sound beside a picture and a file',
      'send-raw',
      {
        html,
        attachments: [
          { ...picture, filename: 'a.png' },
          { filename: 'a.pdf', content: 'x' },
          { filename: 'a.mp3', content: 'x', cid: '<two@example.com>' },
        ],
      },
    ],
    ['a file', 'send', { attachments: [{ filename: 'a.pdf', content: 'x' }] }],
    ['a header twice', 'send', { headers: { 'X-Trace': ['a', 'a'] } }],
    ['a header of two values', 'send-raw', { headers: { 'X-Trace': ['a', 'b'] } }],
    ['a sender', 'send', { from: 'Shop <shop@example.com>' }],
    ['two senders', 'send-raw', { from: ['shop@example.com', 'desk@example.com'] }],
  ])('%s goes to messages/%s', async (_, call, changes) => {
    const provider = await startMandrill()
    const transport = mandrillTransport({ apiKey, baseUrl: provider.url, retries: 0 })
    await nodemailer.createTransport(transport).sendMail(mail(changes))
    expect(provider.requests.map(({ path }) => path)).toEqual([`/api/1.3/messages/${call}`])
  })
})
