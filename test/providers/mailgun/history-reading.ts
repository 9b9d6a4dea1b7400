import { inspect } from 'node:util'
import { expect } from '@jest/globals'
import { HistoryError } from '../../../src/errors.js'
import type { ParsedEvent } from '../../../src/index.js'
import type { EventHistory, HistoryPage } from '../../../src/provider.js'
import { mailgunHistory, type MailgunHistoryOptions } from '../../../src/providers/mailgun/index.js'
import type {
  RunningProvider,
  SimulatedEvent,
  SimulatedMessage,
} from '../../../src/testing/index.js'
import { apiKey, domain, mail, transporterTo } from './sending.js'

export const hour = new Date('2025-10-09T08:00:00.000Z')
const nextHour = new Date('2025-10-09T09:00:00.000Z')

/** So many ms after the hour. */
export const at = (milliseconds: number): Date => new Date(hour.getTime() + milliseconds)

export const historyOf = (
  { url }: { url: string },
  options: MailgunHistoryOptions = {},
): EventHistory => mailgunHistory({ apiKey, domain, baseUrl: url, ...options })

export interface Span {
  from?: Date
  to?: Date
  position?: string
  signal?: AbortSignal
}

/** The pages of a reading, of the whole hour unless it says otherwise. */
export const reading = (
  history: EventHistory,
  { from = hour, to = nextHour, position, signal }: Span = {},
): AsyncIterable<HistoryPage> =>
  history.read({
    from,
    to,
    ...(position !== undefined && { position }),
    ...(signal && { signal }),
    sent: () => Promise.reject(new Error('Mailgun tells of events without being told of messages')),
  })

export async function pagesOf(history: EventHistory, span: Span = {}): Promise<HistoryPage[]> {
  const pages: HistoryPage[] = []
  for await (const page of reading(history, span)) pages.push(page)
  return pages
}

export const eventsOf = async (history: EventHistory, span: Span = {}) =>
  (await pagesOf(history, span)).flatMap(({ events }) => events)

/** Sends a message, of which nothing is told but what the test tells. */
export async function sent(provider: RunningProvider): Promise<SimulatedMessage> {
  await transporterTo(provider).sendMail(
    mail({ tags: ['invoice'], metadata: { order: '1042' }, headers: { 'x-a': 'b' } }),
  )
  await provider.settled()
  const message = provider.messages.at(-1)
  if (!message) throw new Error('no message was taken')
  return message
}

/** So many events, each a second after the other unless it says otherwise. */
export async function tell(
  provider: RunningProvider,
  message: SimulatedMessage,
  count: number,
  after: (index: number) => number = (index) => index * 1000,
): Promise<void> {
  const events = Array.from({ length: count }, (_, index): SimulatedEvent => {
    return { type: 'delivered', recipient: `r${index}@shop.test`, at: at(after(index)) }
  })
  await provider.post(message, { events })
}

/** What was asked for by the calls of the log, one after the other. */
export function asked({ requests }: RunningProvider) {
  return requests
    .filter(({ path }) => path === '/v1/analytics/logs')
    .map(({ body }) => JSON.parse(body.toString()))
}

/** The error of a reading that fails, after a look for what must not be in it. */
export async function historyFailure(
  history: EventHistory,
  span: Span = {},
): Promise<HistoryError> {
  const error: unknown = await pagesOf(history, span).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof HistoryError)) throw new Error(`it is no HistoryError: ${String(error)}`)
  const renderings = [error.message, JSON.stringify(error), inspect(error, { depth: 10 })].join()
  expect(renderings).not.toContain(apiKey)
  expect(renderings).not.toContain(btoa(`api:${apiKey}`))
  expect(renderings).not.toMatch(/@(?:shop\.test|mg\.example)/)
  return error
}

/** The next answer of the API, in place of its own. */
export const answering = (provider: RunningProvider, answer: unknown): void =>
  provider.failNext({
    kind: 'answer',
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: typeof answer === 'string' ? answer : JSON.stringify(answer),
  })

/** Who they happened to, in their order. */
export const recipientsIn = (events: readonly ParsedEvent[]) =>
  events.map((event) => event.recipient)
/** Those that `tell` tells of, from the first up to this many. */
export const upTo = (count: number, first = 0) =>
  Array.from({ length: count - first }, (_, index) => `r${first + index}@shop.test`)
