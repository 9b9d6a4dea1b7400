import type { EventHistory, HistoryPage, HistoryRequest } from '../../../src/provider.js'
import {
  sendgridHistory,
  type SendgridHistoryOptions,
  sendgridSimulator,
} from '../../../src/providers/sendgrid/index.js'
import type {
  ApiAnswer,
  ApiRequest,
  SimulatedEvent,
  SimulatedMessage,
} from '../../../src/simulator.js'
import { startProvider } from '../../../src/testing/index.js'
import { apiKey } from './sending.js'

export const readScopes = ['email_activity.read', 'messages.read']

export interface HistoryProviderOptions {
  scopes?: readonly string[]
  webhookUrl?: string
  history?: SendgridHistoryOptions
  /** Answers in place of the simulator, where it answers at all. */
  instead?: (request: ApiRequest) => ApiAnswer | undefined | Promise<ApiAnswer | undefined>
}

/** A simulated SendGrid that has nothing to tell yet, and the history of it. */
export async function startHistory({
  scopes = readScopes,
  webhookUrl,
  history,
  instead,
}: HistoryProviderOptions = {}) {
  const simulator = sendgridSimulator({ apiKey, scopes })
  const provider = await startProvider(
    {
      ...simulator,
      answer: async (request, now, told) => {
        const answer = await instead?.(request)
        return answer ? { answer } : simulator.answer(request, now, told)
      },
    },
    webhookUrl === undefined ? {} : { webhookUrl },
  )
  return {
    simulator,
    provider,
    history: sendgridHistory({ apiKey, baseUrl: provider.url, ...history }),
  }
}

/** A message as the simulator has it once it was sent. */
export function sentMessage(
  id: string,
  addresses: readonly string[] = ['ann@example.com'],
): SimulatedMessage {
  const metadata = { mailtrail_id: '01902d5e-7c00-7000-8000-000000000001', order: '42' }
  return {
    id,
    recipients: addresses.map((address) => ({ address, id })),
    subject: 'Your order',
    metadata,
    tags: ['order', 'spring'],
    messageId: `${id}@geopod-ismtpd-8`,
    request: {
      from: { email: 'shop@example.com' },
      personalizations: [{ to: addresses.map((email) => ({ email })), custom_args: metadata }],
    },
  }
}

export const event = (
  type: SimulatedEvent['type'],
  at: Date,
  more: Partial<SimulatedEvent> = {},
): SimulatedEvent => ({ type, recipient: 'ann@example.com', at, ...more })

/** A request that needs no messages of ours. */
export const asking = (
  from: Date,
  to: Date,
  more: Partial<HistoryRequest> = {},
): HistoryRequest => ({ from, to, sent: async () => [], ...more })

export async function pagesOf(
  history: EventHistory,
  request: HistoryRequest,
): Promise<HistoryPage[]> {
  const pages: HistoryPage[] = []
  for await (const page of history.read(request)) pages.push(page)
  return pages
}

export const eventsOf = async (history: EventHistory, request: HistoryRequest) =>
  (await pagesOf(history, request)).flatMap(({ events }) => events)

export const json = (status: number, body: unknown): ApiAnswer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})
