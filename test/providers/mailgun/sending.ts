import { inspect } from 'node:util'
import { afterEach, expect } from '@jest/globals'
import nodemailer from 'nodemailer'
import { createCorrelator, type MailOptions, memoryStore, SendError } from '../../../src/index.js'
import {
  mailgunSimulator,
  mailgunTransport,
  type MailgunTransportOptions,
  mailgunWebhook,
} from '../../../src/providers/mailgun/index.js'
import {
  type ProviderSimulator,
  type RunningProvider,
  startProvider,
  type StartOptions,
} from '../../../src/testing/index.js'
import { startEndpoint } from '../../endpoint.js'
import { collectTold } from '../../told-events.js'

export const apiKey = 'key-3ax6xnjp29jd6fds4gc373sgvjxteol0'
export const domain = 'mg.example.com'

export const mail = (changes: MailOptions = {}): MailOptions => ({
  from: 'Billing <billing@mg.example.com>',
  to: 'ana@shop.test',
  subject: 'Invoice',
  text: 'Hello',
  ...changes,
})

const running: { close(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.close()))
})

/** Has it closed when the test is over. */
export function closing<T extends { close(): Promise<void> }>(each: T): T {
  running.push(each)
  return each
}

/** A simulated Mailgun that listens until the test is over. */
export async function startMailgun(
  options: StartOptions = {},
  simulator: ProviderSimulator = mailgunSimulator({ apiKey, domain }),
): Promise<RunningProvider> {
  return closing(await startProvider(simulator, options))
}

export const transporterTo = ({ url }: { url: string }, options: MailgunTransportOptions = {}) =>
  nodemailer.createTransport(
    mailgunTransport({ apiKey, domain, baseUrl: url, retries: 0, ...options }),
  )

/** A Mailgun that answers with ids of its own: `other-1@…` for its first call, and so on. */
export function withOtherIds(simulator: ProviderSimulator): ProviderSimulator {
  let calls = 0
  return {
    ...simulator,
    async answer(request, now) {
      const { answer, message } = await simulator.answer(request, now)
      if (!message) return { answer }
      calls += 1
      const id = `other-${calls}@${domain}`
      return {
        answer: { ...answer, body: JSON.stringify({ id: `<${id}>`, message: 'Queued.' }) },
        message: { ...message, id },
      }
    },
  }
}

/** A Mailgun whose webhooks go to a correlator that the transport records its messages with. */
export async function startWithWebhooks(
  { script }: Pick<StartOptions, 'script'> = {},
  change: (simulator: ProviderSimulator) => ProviderSimulator = (simulator) => simulator,
) {
  const simulator = mailgunSimulator({ apiKey, domain })
  const webhook = mailgunWebhook({ signingKey: simulator.signingKey })
  const correlator = closing(createCorrelator({ store: memoryStore(), webhooks: [webhook] }))
  const told = collectTold(correlator)
  const { url } = closing(await startEndpoint(correlator.nodeHandler))
  const provider = await startMailgun(
    { webhookUrl: `${url}/mailgun`, ...(script && { script }) },
    change(simulator),
  )
  return { correlator, told, provider, transporter: transporterTo(provider, { correlator }) }
}

/** The error of a send that fails, after a look for what must not be in it. */
export async function failureOf(sending: Promise<unknown>): Promise<SendError> {
  const error: unknown = await sending.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof SendError)) throw new Error(`it is no SendError: ${String(error)}`)
  const renderings = [error.message, JSON.stringify(error), inspect(error, { depth: 10 })].join()
  expect(renderings).not.toContain(apiKey)
  expect(renderings).not.toMatch(/@(?:shop\.test|mg\.example)/)
  return error
}
