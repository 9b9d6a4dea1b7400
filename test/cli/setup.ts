import { writeFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { join } from 'node:path'
import { createCorrelator, memoryStore, type Webhook } from '../../src/index.js'
import type { Finding, ProviderKit, ProviderSettings } from '../../src/provider-kit.js'
import { mailgunKit } from '../../src/providers/mailgun/kit.js'
import { mandrillKit } from '../../src/providers/mandrill/kit.js'
import { sendgridKit } from '../../src/providers/sendgrid/kit.js'
import type { RegisteredWebhook } from '../../src/simulator.js'
import { type RunningProvider, startProvider } from '../../src/testing/provider-server.js'
import { newFolder, run, type RunOptions } from './running.js'

export const kits = { sendgrid: sendgridKit, mailgun: mailgunKit, mandrill: mandrillKit }

export type ProviderName = keyof typeof kits

/** Where a set-up differs from one that is as it should be. */
export interface Changes {
  /** What the provider has registered, from what it should have. */
  registered?(webhook: RegisteredWebhook): RegisteredWebhook[]
  /** What is set for the command, from what should be. */
  settings?(settings: ProviderSettings): Record<string, unknown>
  /** What answers at the URL, in place of the handler. */
  endpoint?(correct: RequestListener, settings: ProviderSettings): RequestListener
  /** Where the application is, when it is elsewhere. */
  url?: string
  /** The handler's webhook, in place of one with the settings. */
  webhook?(settings: ProviderSettings): Webhook
  /** What the provider's API is started with, from what it should be. */
  account?(settings: ProviderSettings): ProviderSettings
  /** Once the provider runs. */
  started?(provider: RunningProvider): void
}

export interface SetUp {
  folder: string
  provider: RunningProvider
  settings: ProviderSettings
  close(): Promise<void>
}

export async function listening(
  listener: RequestListener,
): Promise<{ server: Server; url: string }> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return { server, url: `http://127.0.0.1:${port}` }
}

/** An application with its handler, a provider with its account, and the settings of the command. */
export async function setUp(name: ProviderName, changes: Changes = {}): Promise<SetUp> {
  const kit: ProviderKit = kits[name]
  const { folder, remove } = newFolder()
  let answer: RequestListener = (_request, response) => void response.writeHead(500).end()
  const { server, url: own } = await listening((request, response) => answer(request, response))
  const base = changes.url ?? `${own}/webhooks`
  const keys = kit.newSandbox()
  const correct = { ...keys, ...(kit.signsUrl && { url: `${base}/${name}` }) }
  const correlator = createCorrelator({
    store: memoryStore(),
    foreignAfter: 0,
    webhooks: [changes.webhook?.(correct) ?? kit.createWebhook(correct)],
  })
  correlator.onError(() => {})
  answer = changes.endpoint?.(correlator.nodeHandler, correct) ?? correlator.nodeHandler

  const shown = String(correct[kit.verifiedWith as keyof typeof correct])
  const webhook: RegisteredWebhook = {
    url: `${base}/${name}`,
    enabled: true,
    events: kit.neededEvents,
    signing: { kind: 'key', key: shown },
  }
  const simulator = kit.createSimulator(changes.account?.(correct) ?? correct, {
    webhooks: changes.registered?.(webhook) ?? [webhook],
  })
  if (!simulator) throw new Error('it has its keys')
  const provider = await startProvider(simulator, { webhookUrl: `${base}/${name}` })
  changes.started?.(provider)
  const settings = { ...correct, baseUrl: provider.url }
  writeFileSync(
    join(folder, 'mailtrail.config.json'),
    JSON.stringify({ url: base, [name]: changes.settings?.(settings) ?? settings }),
  )
  return {
    folder,
    provider,
    settings,
    async close() {
      await provider.close()
      server.closeAllConnections()
      server.close()
      await correlator.close({ timeout: 0 })
      remove()
    },
  }
}

export interface Told {
  code: number | null
  findings: Finding[]
  skipped: string[]
}

/** What the doctor says of a set-up. */
export async function doctor(
  { folder }: Pick<SetUp, 'folder'>,
  options: Partial<RunOptions> = {},
): Promise<Told> {
  const { code, stdout, stderr } = await run(['doctor', '--json'], { folder, ...options })
  if (stdout === '') throw new Error(stderr)
  return { code, ...JSON.parse(stdout) }
}

export const codes = ({ findings }: Told): string[] => findings.map(({ code }) => code)
