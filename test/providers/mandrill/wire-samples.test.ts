import { expect, test } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { mandrillSimulator } from '../../../src/providers/mandrill/index.js'
import { mail, startMandrill, transporterTo } from './sending.js'

const sample = (name: string): string => readFileSync(join(__dirname, 'samples', name), 'utf8')

test('the simulator takes the complete sample of a send call', async () => {
  const simulator = mandrillSimulator({
    apiKey: 'md-XXXXXXXXXXXXXXXXXXXXXX',
    webhookUrl: 'https://example.com/mandrill',
  })
  const { answer, message } = await simulator.answer(
    {
      method: 'POST',
      path: '/api/1.3/messages/send',
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(sample('send.json')),
    },
    new Date('2026-02-01T00:00:00Z'),
  )
  expect(answer.status).toBe(200)
  expect(JSON.parse(answer.body)).toMatchObject([
    { email: 'ann@example.org', status: 'scheduled' },
    { email: 'bob@example.org', status: 'scheduled' },
    { email: 'audit@example.org', status: 'scheduled' },
  ])
  expect(message).toMatchObject({ subject: 'Your order', tags: ['order'] })
})

test('the sample of an answer is what becomes of each recipient', async () => {
  const provider = await startMandrill()
  provider.failNext({
    kind: 'answer',
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: sample('send-answer.json'),
  })
  const info = await transporterTo(provider).sendMail(
    mail({ to: 'ann@example.org', cc: 'bob@example.org', bcc: 'audit@example.org' }),
  )
  expect(info).toMatchObject({
    accepted: ['ann@example.org', 'bob@example.org'],
    rejected: ['audit@example.org'],
    providerMessageId: '4f1c0d9be2a84c7fb2d35c6a91e07b44',
    recipients: [
      { providerStatus: 'sent' },
      { providerStatus: 'queued', reason: 'attachments' },
      { providerStatus: 'rejected', reason: 'hard-bounce' },
    ],
  })
})

test('the sample of an error body is a message that was not right', async () => {
  const provider = await startMandrill()
  provider.failNext({
    kind: 'answer',
    status: 400,
    headers: { 'content-type': 'application/json' },
    body: sample('error-body.json'),
  })
  await expect(transporterTo(provider).sendMail(mail())).rejects.toMatchObject({
    category: 'validation',
    outcome: 'not-sent',
    statusCode: 400,
    message: expect.stringContaining('An email address must contain a single @'),
  })
})
