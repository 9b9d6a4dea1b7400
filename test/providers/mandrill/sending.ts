import { inspect } from 'node:util'
import { afterEach, expect } from '@jest/globals'
import nodemailer from 'nodemailer'
import { SendError } from '../../../src/errors.js'
import {
  mandrillSimulator,
  mandrillTransport,
  type MandrillInfo,
  type MandrillTransportOptions,
} from '../../../src/providers/mandrill/index.js'
import {
  type RunningProvider,
  startProvider,
  type StartOptions,
} from '../../../src/testing/index.js'
import type { MailOptions, ProviderTransporter } from '../../../src/transporter.js'

export const apiKey = 'md-AbCdEfGhIjKlMnOpQrStUv'

const running: { close(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.close()))
})

/** Has it closed when the test is over. */
export function closing<T extends { close(): Promise<void> }>(each: T): T {
  running.push(each)
  return each
}

/** A simulated Mandrill that listens until the test is over. */
export async function startMandrill(
  options: StartOptions = {},
  key = apiKey,
): Promise<RunningProvider> {
  const simulator = mandrillSimulator({ apiKey: key, webhookUrl: 'https://example.com/mandrill' })
  return closing(await startProvider(simulator, options))
}

export function transporterTo(
  { url }: { url: string },
  options: MandrillTransportOptions = {},
): ProviderTransporter<MandrillInfo> {
  return nodemailer.createTransport(
    mandrillTransport({ apiKey, baseUrl: url, retries: 0, ...options }),
  )
}

/** The body of the last call, as it came. */
export function lastCall({ requests }: RunningProvider): unknown {
  return JSON.parse(requests.at(-1)?.body.toString('utf8') ?? 'null')
}

/** The message of the last call. */
export function lastMessage(provider: RunningProvider): unknown {
  const call = lastCall(provider)
  return typeof call === 'object' && call !== null && 'message' in call ? call.message : undefined
}

export const mail = (changes: MailOptions = {}): MailOptions => ({
  from: 'Shop <shop@example.com>',
  to: 'Ann <ann@example.org>',
  subject: 'Your order',
  text: 'Hello',
  ...changes,
})

/** The error of a send that fails, after a look for what must not be in it. */
export async function failureOf(sending: Promise<unknown>): Promise<SendError> {
  const error: unknown = await sending.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof SendError)) throw new Error(`not a SendError: ${String(error)}`)
  const renderings = renderingsOf(error)
  expect(renderings).not.toContain(apiKey)
  expect(renderings).not.toMatch(/@|example\.org/)
  return error
}

/** Everything that a log could show of an error, and of its causes. */
function renderingsOf(error: unknown): string {
  if (error === undefined) return ''
  const rest = error instanceof Error ? [error.message, renderingsOf(error.cause)] : []
  const all = [JSON.stringify(error), inspect(error, { depth: 10, showHidden: true }), ...rest]
  // The stack names files, and folders may have an @ in their names.
  return [...all, String(error)].join('\n').replace(/^\s+at .*$/gm, '')
}
