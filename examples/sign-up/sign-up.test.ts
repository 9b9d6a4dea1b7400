import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import nodemailer from 'nodemailer'
import { type Correlator, createCorrelator, memoryStore } from 'mailtrail'
import { sendgridSimulator, sendgridTransport, sendgridWebhook } from 'mailtrail/sendgrid'
import {
  byRecipient,
  duplicated,
  happens,
  inDisorder,
  type RunningProvider,
  type Script,
  startProvider,
} from 'mailtrail/testing'
import { mailMatchers } from 'mailtrail/testing/vitest'
import { afterEach, expect, test } from 'vitest'
import { createSignUp } from './sign-up.js'

expect.extend(mailMatchers)

const ann = 'ann@example.com'
const nobody = 'nobody@example.com'

let correlator: Correlator
let server: Server
let provider: RunningProvider
let app: ReturnType<typeof createSignUp>

/** The app, with a provider on this machine at which this becomes of its mail. */
async function start(script: Script): Promise<void> {
  const simulator = sendgridSimulator({ apiKey: 'SG.test' })
  correlator = createCorrelator({
    store: memoryStore(),
    webhooks: [sendgridWebhook({ publicKey: simulator.publicKey })],
  })
  server = createServer(correlator.nodeHandler)
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  provider = await startProvider(simulator, {
    webhookUrl: `http://127.0.0.1:${port}/sendgrid`,
    script,
  })
  const transport = sendgridTransport({ apiKey: 'SG.test', baseUrl: provider.url, correlator })
  app = createSignUp(nodemailer.createTransport(transport), correlator)
}

/** Lets everything be posted and told. */
async function settle(): Promise<void> {
  await provider.settled()
  await correlator.drain()
}

afterEach(async () => {
  await provider.close()
  await correlator.close()
  server.close()
})

test('who signs up is asked to confirm', async () => {
  await start(happens('accepted', 'delivered'))
  await app.signUp(ann)
  await expect({ to: ann, subject: 'Confirm your address' }).toHaveBeenDelivered({ correlator })
  await settle()
  expect(app.account(ann)).toBe('asked')
})

test('who confirms has an account, though each webhook comes twice and the last one first', async () => {
  await start(inDisorder(duplicated(happens('delivered', 'clicked'))))
  await app.signUp(ann)
  await expect({ to: ann, tag: 'sign-up' }).toHaveBeenClicked({ correlator })
  await settle()
  expect((await correlator.find({ tag: 'sign-up' })).messages[0]?.status).toBe('delivered')
})

test('an address that does not exist is told apart from one that does', async () => {
  await start(
    byRecipient((address) => happens('accepted', address === ann ? 'delivered' : 'bounced')),
  )
  await app.signUp(ann)
  await app.signUp(nobody)
  await expect({ to: nobody }).toHaveBounced({ correlator, kind: 'hard' })
  await settle()
  await expect({ to: ann }).not.toHaveBounced({ correlator })
  expect([app.account(ann), app.account(nobody)]).toEqual(['asked', 'unreachable'])
})

test('while the provider is out of order nobody is asked', async () => {
  await start(happens('delivered'))
  provider.failNext({ kind: 'answer', status: 401 })
  await expect(app.signUp(ann)).rejects.toMatchObject({ category: 'auth' })
  await expect({ to: ann }).not.toHaveBeenSent({ correlator })
  expect(app.account(ann)).toBe('waiting')
})
