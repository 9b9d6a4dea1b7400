import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { createServer } from 'node:http'
import { newFolder, run, type RunningCommand, start } from './running.js'
import { kits } from './setup.js'

jest.setTimeout(60_000)

let folder = ''
let remove = (): void => {}
let listening: RunningCommand | undefined

const keys = { sendgrid: kits.sendgrid.newSandbox(), mailgun: kits.mailgun.newSandbox() }
const env = {
  SENDGRID_WEBHOOK_PUBLIC_KEY: String(keys.sendgrid['publicKey']),
  SENDGRID_WEBHOOK_PRIVATE_KEY: String(keys.sendgrid['privateKey']),
  MAILGUN_WEBHOOK_SIGNING_KEY: String(keys.mailgun['signingKey']),
}

beforeEach(() => {
  const made = newFolder()
  folder = made.folder
  remove = made.remove
})
afterEach(async () => {
  listening?.signal('SIGTERM')
  expect(await listening?.ended).toMatchObject({ code: 0, stderr: '' })
  listening = undefined
  remove()
})

async function listen(...words: string[]): Promise<{ command: RunningCommand; url: string }> {
  listening = start(['listen', '--port', '0', ...words], { folder, env })
  const [, url = ''] = await listening.wrote(/Listening at (http:\/\/[\d.:]+):/)
  return { command: listening, url }
}

test('what is signed is told as verified, and answered as the provider needs it', async () => {
  const { command, url } = await listen()
  for (const provider of ['sendgrid', 'mailgun']) {
    const words = ['trigger', provider, 'bounced', '--to', `${url}/webhooks/${provider}`]
    expect((await run(words, { folder, env })).code).toBe(0)
  }
  await command.wrote(/SendGrid {2}verified {2}answered 200\n {2}bounced +it bounced for ann@/)
  await command.wrote(/Mailgun {2}verified {2}answered 200/)
})

test('what is forged is told with the reason, and refused', async () => {
  const { command, url } = await listen()
  const other = { MAILGUN_WEBHOOK_SIGNING_KEY: 'another' }
  const words = ['trigger', 'mailgun', 'bounced', '--to', `${url}/mailgun`]
  expect((await run(words, { folder, env: other })).code).toBe(1)
  await command.wrote(
    /Mailgun {2}refused \(bad-signature\) {2}answered 406\n {2}the signature fits none of the signing keys/,
  )
  expect((await fetch(`${url}/sendgrid`, { method: 'POST', body: '[]' })).status).toBe(403)
  await command.wrote(/SendGrid {2}refused \(unsigned\) {2}answered 403/)
})

test('what no key is set for is shown all the same, and not called verified', async () => {
  const { command, url } = await listen()
  const mandrill = { MANDRILL_WEBHOOK_KEY: 'x', MANDRILL_WEBHOOK_URL: `${url}/mandrill` }
  const words = ['trigger', 'mandrill', 'opened', '--to', `${url}/mandrill`]
  expect((await run(words, { folder, env: mandrill })).code).toBe(0)
  await command.wrote(
    /Mandrill {2}not verified {2}answered 200\n {2}mandrillWebhook: key is missing/,
  )
  await command.wrote(/opened +ann@example\.com opened it/)
})

test('a trial of the URL is answered, and what is nobody’s is not', async () => {
  const { command, url } = await listen()
  expect((await fetch(`${url}/mandrill?secret=1`)).status).toBe(200)
  await command.wrote(/GET \/mandrill\n/)
  expect((await fetch(`${url}/other`, { method: 'POST', body: 'x' })).status).toBe(404)
  await command.wrote(/nobody’s {2}not known {2}answered 404/)
})

test('what comes is handed on byte by byte, and answered as it was there', async () => {
  const came: { url: string | undefined; body: string; signature: unknown }[] = []
  const application = createServer(async (request, response) => {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece)
    const signature = request.headers['x-twilio-email-event-webhook-signature']
    came.push({ url: request.url, body: Buffer.concat(pieces).toString(), signature })
    response.writeHead(201).end('taken')
  })
  await new Promise<void>((resolve) => void application.listen(0, '127.0.0.1', resolve))
  const address = application.address()
  const port = typeof address === 'object' ? address?.port : 0
  try {
    const { command, url } = await listen('--forward', `http://127.0.0.1:${port}/app/`)
    const words = ['trigger', 'sendgrid', 'clicked', '--to', `${url}/hooks/sendgrid?a=b`, '--json']
    const { stdout } = await run(words, { folder, env })
    expect(JSON.parse(stdout)).toMatchObject({ status: 201, text: 'taken', taken: true })
    await command.wrote(/SendGrid {2}verified {2}answered 201/)
    expect(came).toEqual([
      {
        url: '/app/hooks/sendgrid?a=b',
        body: expect.stringMatching(/^\[.*"click".*\]\r\n$/),
        signature: expect.any(String),
      },
    ])
  } finally {
    application.closeAllConnections()
    application.close()
  }
})
