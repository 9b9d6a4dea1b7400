import { equal, ok } from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import nodemailer, { type Transport } from 'nodemailer'
import { type Correlator, createCorrelator } from '../correlator.js'
import type { WebhookError } from '../errors.js'
import type { EventOf, EventType, MailEvent } from '../event.js'
import type { SentMessage } from '../message.js'
import type { Webhook } from '../provider.js'
import type {
  ProviderSimulator,
  SignedRequest,
  SimulatedEvent,
  SimulatedEventType,
  SimulatedMessage,
} from '../simulator.js'
import type { Store } from '../store.js'
import { memoryStore } from '../stores/memory.js'
import type { TrackedMessage } from '../tracked-message.js'
import type { TransportOptions } from '../transport-options.js'
import type { MailOptions, SentInfo } from '../transporter.js'
import type { WebhookOptions } from '../webhook-options.js'
import { listenOnLoopback } from './loopback.js'
import { type RunningProvider, type Script, startProvider } from './provider-server.js'
import { signedRequests } from './signed-requests.js'

/** The parts of a provider, made for one case. */
export interface ProviderParts {
  simulator: ProviderSimulator
  /** Its webhook, with the key that the simulator signs with. */
  webhook: (options: WebhookOptions) => Webhook
  /** Its Nodemailer transport, with the API key that the simulator knows. */
  transport: (options: TransportOptions) => Transport<SentInfo>
  /** What must stand in no error: what the API is called with, and what webhooks are verified with. */
  secrets: { sending: readonly string[]; receiving: readonly string[] }
}

/** A provider, and what it cannot do. */
export interface ProviderUnderTest {
  /** Its name, under which its webhook is served unless it is given another. */
  provider: string
  /**
   * Makes a simulator, and the parts that speak with it.
   *
   * @param webhookUrl where the simulator will post to, for providers that sign it
   */
  open: (webhookUrl: string) => ProviderParts
  /** Each makes something without a key that it cannot do without, and is to throw. */
  withoutKeys: readonly (() => unknown)[]
  /** The fields that it cannot carry, by the name that its error gives them, and a mail with each. */
  unsupported: Readonly<Record<string, MailOptions>>
  /** What it does not tell of; nothing by default. */
  untold?: readonly UntoldEvent[]
  /**
   * Its webhooks prove who posts them, and not what they say, as where a password is all there is: by default
   * what is changed on the way must be noticed.
   */
  provesSenderAlone?: boolean
}

/** An event, or a kind of it, that some providers do not tell of, or not apart from others. */
export type UntoldEvent = SimulatedEventType | 'soft bounce' | 'later bounce'

/** A provider that posts to a correlator on this machine, and what the two of them have said. */
export interface OpenedProvider extends ProviderParts {
  readonly subject: ProviderUnderTest
  readonly url: string
  readonly store: Store
  readonly correlator: Correlator
  readonly running: RunningProvider
  /** What listeners were told, in its order. */
  readonly told: { event: MailEvent; message: SentMessage | undefined }[]
  readonly refusals: WebhookError[]
  /** What becomes of the next messages by itself; nothing by default. */
  script: Script
  close(): Promise<void>
}

/** What every provider must do, by the sentence that says it. */
export type ProviderChecks = Record<string, (opened: OpenedProvider) => Promise<void>>

/** The same check for each of several values. */
export function eachOf<T>(
  values: readonly T[],
  nameOf: (value: T) => string,
  check: (opened: OpenedProvider, value: T) => Promise<void>,
): ProviderChecks {
  return Object.fromEntries(
    values.map((value) => [nameOf(value), (opened: OpenedProvider) => check(opened, value)]),
  )
}

// Long enough for an answer to come after its event, and short for who waits in vain, in ms.
const foreignAfter = 1500

/** Starts a provider that posts to a correlator on a free port of this machine. */
export async function openProvider(subject: ProviderUnderTest): Promise<OpenedProvider> {
  const holder: { correlator?: Correlator } = {}
  const server = createServer((request, response) =>
    holder.correlator?.nodeHandler(request, response),
  )
  const port = await listenOnLoopback(server)
  const url = `http://127.0.0.1:${port}/hooks/${subject.provider}`

  const closing: (() => Promise<unknown>)[] = [
    async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  ]
  const close = async (): Promise<void> => {
    for (const end of closing.toReversed()) await end()
  }
  try {
    const parts = subject.open(url)
    const store = memoryStore()
    const correlator = createCorrelator({
      store,
      webhooks: [parts.webhook({})],
      foreignAfter,
      recipientWindow: 3_600_000,
    })
    closing.push(() => correlator.close())
    holder.correlator = correlator
    const told: OpenedProvider['told'] = []
    correlator.onAny((event, message) => void told.push({ event, message }))
    const refusals: WebhookError[] = []
    correlator.on('refused', (refusal) => void refusals.push(refusal))
    const running = await startProvider(parts.simulator, {
      webhookUrl: url,
      script: (message) => opened.script(message),
    })
    closing.push(() => running.close())
    const opened: OpenedProvider = {
      ...parts,
      subject,
      url,
      store,
      correlator,
      running,
      told,
      refusals,
      script: () => [],
      close,
    }
    return opened
  } catch (error) {
    await close()
    throw error
  }
}

export function allSecrets({ secrets }: ProviderParts): string[] {
  return [...secrets.sending, ...secrets.receiving]
}

/** A mail as most of them are. */
export const plainMail: MailOptions = {
  from: 'Shop <shop@example.com>',
  to: 'Ann <ann.recipient@example.org>',
  subject: 'Your order',
  text: 'Thanks',
}

export const ann = 'ann.recipient@example.org'
export const bob = 'bob.recipient@example.org'

/** A new transporter of the provider's transport, which tries once and records what it sends. */
export function transporterOf(
  { transport, running, correlator }: OpenedProvider,
  options: TransportOptions = {},
): ReturnType<typeof nodemailer.createTransport<SentInfo>> {
  const usual = { baseUrl: running.url, correlator, retries: 0 }
  return nodemailer.createTransport<SentInfo>(transport({ ...usual, ...options }))
}

export interface Sent {
  info: SentInfo
  /** As the provider has it. */
  message: SimulatedMessage
}

/** Sends a mail that the provider takes. */
export async function send(
  opened: OpenedProvider,
  changes: MailOptions = {},
  options: TransportOptions = {},
): Promise<Sent> {
  const mail: MailOptions = { ...plainMail, ...changes }
  const info = await transporterOf(opened, options).sendMail(mail)
  const message = opened.running.messages.at(-1)
  ok(message, 'the simulator has accepted no message, and sendMail resolved')
  return { info, message }
}

/** What a mail that fails is refused with. */
export async function refusalOf(sending: Promise<unknown>): Promise<Error> {
  const error: unknown = await sending.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  ok(error !== undefined, 'sendMail resolved, and should have rejected')
  ok(error instanceof Error, 'sendMail rejected with something that is no Error')
  return error
}

/** The only request of several that there should be one of. */
export function onlyRequest(requests: readonly SignedRequest[]): SignedRequest {
  const [request, ...others] = requests
  ok(request && others.length === 0, 'one event should make one request')
  return request
}

/** Posts a request, and gives the status that it is answered. */
export async function post(
  { url }: OpenedProvider,
  { headers, body }: SignedRequest,
): Promise<number> {
  const response = await fetch(url, { method: 'POST', headers, body, redirect: 'manual' })
  await response.text()
  return response.status
}

/** Lets the provider tell of events, which must be taken, and has listeners told of them. */
export async function tell(
  opened: OpenedProvider,
  message: SimulatedMessage,
  ...events: SimulatedEvent[]
): Promise<void> {
  await postAll(opened, signedRequests(opened.simulator, message, events))
}

/** Posts requests that must be taken, and has listeners told of what they bring. */
export async function postAll(
  opened: OpenedProvider,
  requests: readonly SignedRequest[],
): Promise<void> {
  for (const request of requests) {
    const status = await post(opened, request)
    const why = opened.refusals.map(({ message }) => message).join('; ')
    equal(isTaken(status), true, `a signed request was answered ${status}: ${why}`)
  }
  await opened.correlator.drain()
}

export const isTaken = (status: number): boolean => status >= 200 && status < 300

/** What is known of a message that was sent. */
export async function known(
  { correlator }: OpenedProvider,
  { info }: Pick<Sent, 'info'>,
): Promise<TrackedMessage> {
  const message = await correlator.message(info.trackingId)
  ok(message, 'info.trackingId is the id of no message that was recorded')
  return message
}

/** The one event of a type that was told. */
export function toldOnce<T extends EventType>(opened: OpenedProvider, type: T): EventOf<T> {
  const events = opened.told.flatMap(({ event }) => (isOf(type, event) ? [event] : []))
  const types = opened.told.map(({ event }) => event.type).join(', ')
  equal(events.length, 1, `there should be one ${type} event, and there were: ${types || 'none'}`)
  const [event] = events
  ok(event)
  return event
}

function isOf<T extends EventType>(type: T, event: MailEvent): event is EventOf<T> {
  return event.type === type
}
