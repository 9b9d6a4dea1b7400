import { createTransport } from 'nodemailer'
import { type Dashboard, dashboard, type DashboardOptions } from '../../src/dashboard/index.js'
import { type Correlator, createCorrelator, memoryStore, type Store } from '../../src/index.js'
import {
  sendgridSimulator,
  sendgridTransport,
  sendgridWebhook,
} from '../../src/providers/sendgrid/index.js'
import type { RunningProvider, Script } from '../../src/testing/index.js'
import { startProvider } from '../../src/testing/index.js'
import { startEndpoint } from '../endpoint.js'

/** An application with a dashboard, and a simulated provider that it sends through. */
export interface Board {
  /** Where the dashboard is mounted, with a slash at the end. */
  url: string
  board: Dashboard
  correlator: Correlator
  store: Store
  transporter: ReturnType<typeof makeTransporter>
  provider: RunningProvider
  close(): Promise<void>
}

function makeTransporter(baseUrl: string, correlator: Correlator) {
  return createTransport(sendgridTransport({ apiKey: 'SG.x', baseUrl, correlator, retries: 0 }))
}

export interface BoardOptions extends Omit<DashboardOptions, 'correlator'> {
  script?: Script
  /** Whether everybody may come in where `authorize` is not given. */
  open?: boolean
}

export async function startBoard({
  script,
  open = true,
  ...options
}: BoardOptions = {}): Promise<Board> {
  const simulator = sendgridSimulator({ apiKey: 'SG.x' })
  const store = memoryStore()
  const correlator = createCorrelator({
    store,
    webhooks: [sendgridWebhook({ publicKey: simulator.publicKey })],
  })
  const board = dashboard({
    correlator,
    ...(open && { authorize: () => true }),
    ...options,
  })
  const server = await startEndpoint((request, response) => {
    if (request.url?.startsWith('/webhooks/')) void correlator.nodeHandler(request, response)
    else void board.nodeHandler(request, response)
  })
  const provider = await startProvider(simulator, {
    webhookUrl: `${server.url}/webhooks/sendgrid`,
    ...(script && { script }),
  })
  return {
    url: `${server.url}/mailtrail/`,
    board,
    correlator,
    store,
    transporter: makeTransporter(provider.url, correlator),
    provider,
    async close() {
      board.close()
      await provider.close()
      await server.close()
      await correlator.close({ timeout: 100 })
    },
  }
}

/** Every path that the dashboard has something at, and some at which it has nothing. */
export const everyPath = [
  '',
  'messages',
  'messages/0190a0b0-0000-7000-8000-000000000000',
  'suppressions',
  'dead-letters',
  'failed',
  'live?view=',
  'files/style.css',
  'files/uplot.js',
  'messages?table=messages&format=json',
  'nothing',
]
