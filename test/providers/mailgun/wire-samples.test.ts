import { expect, test } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { mailgunSimulator, verifyMailgunSignature } from '../../../src/providers/mailgun/index.js'

const sample = (name: string): string => readFileSync(join(__dirname, 'samples', name), 'utf8')

test('the simulator answers the example of a send call as its dossier says', async () => {
  const [head = '', ...parts] = sample('messages.txt').replaceAll('\n', '\r\n').split('\r\n\r\n')
  const type = /^Content-Type: (.*)$/m.exec(head)?.[1]?.trim()
  const simulator = mailgunSimulator({ apiKey: 'key-test', domain: 'mg.example.com' })
  const { answer, message } = await simulator.answer(
    {
      method: 'POST',
      path: '/v3/mg.example.com/messages',
      headers: { authorization: `Basic ${btoa('api:key-test')}`, 'content-type': type },
      body: Buffer.from(parts.join('\r\n\r\n')),
    },
    new Date(),
  )
  expect([answer.status, answer.body]).toEqual([
    200,
    '{"id":"<3f0c7d1e-1042@mg.example.com>","message":"Queued. Thank you."}',
  ])
  expect(message).toMatchObject({
    recipients: [{ address: 'ana@shop.test' }],
    subject: 'Factura n.º 1042',
    metadata: { order_id: '1042' },
    tags: ['invoice'],
  })
})

test("a subaccount's signature is verified by its own key and by its parent's", () => {
  const body = sample('parent-signature.json')
  const request = { headers: { 'content-type': 'application/json' }, body }
  for (const signingKey of [
    'key-sub-1b2c3d4e5f60718293a4b5c6d7e8f901',
    'key-parent-90b7e5d2c8a14f36b1d0e4a7c2f95836',
  ]) {
    expect(verifyMailgunSignature(request, { signingKey })).toBe(true)
  }
  expect(verifyMailgunSignature(request, { signingKey: 'key-other' })).toBe(false)
})
