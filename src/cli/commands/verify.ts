import { createServer, type Server } from 'node:http'
import { UsageError } from '../../errors.js'
import { createCorrelator } from '../../correlator.js'
import type { ProviderKit, ProviderSettings } from '../../provider-kit.js'
import type { Webhook } from '../../provider.js'
import type { Store } from '../../store.js'
import { memoryStore } from '../../stores/memory.js'
import { startProvider } from '../../testing/provider-server.js'
import { below, type Configuration } from '../configuration.js'
import type { ExitCode, Io } from '../io.js'
import { listenAt } from '../ports.js'
import { kitNamed, kits } from '../providers.js'
import { roundTrip, type RoundTripOptions } from '../round-trip.js'

export interface VerifyOptions extends RoundTripOptions {
  /** With providers on this machine, and no account at all. */
  sandbox?: boolean
  /** Where the webhook is taken here, in place of by the application. */
  listen?: number
}

/** Sends a message and waits for its event: the whole way, from the API to the store. */
export async function verify(
  provider: string | undefined,
  options: VerifyOptions,
  configuration: Configuration,
  io: Io,
): Promise<ExitCode> {
  if (options.sandbox) {
    const asked = provider === undefined ? kits : [kitNamed(provider)]
    let code: ExitCode = 0
    for (const kit of asked) {
      if ((await inSandbox(kit, options, configuration, io)) !== 0) code = 1
    }
    return code
  }
  const kit = provider === undefined ? onlyOne(configuration) : kitNamed(provider)
  const { to, from, listen } = options
  if (to === undefined || from === undefined) {
    throw new UsageError(
      'say who sends and who gets it: --from shop@example.com --to you@example.com',
    )
  }
  const settings = configuration.settings(kit)
  if (listen === undefined) {
    if (!configuration.hasStore) {
      throw new UsageError(
        'say where events come in: set MAILTRAIL_STORE to the store of the application that takes them, or take them here with --listen 8530',
      )
    }
    return tryWith(
      kit,
      settings,
      { store: configuration.store(), webhooks: [] },
      options,
      configuration,
      io,
    )
  }
  const taking = { store: memoryStore(), webhooks: [kit.createWebhook(settings)], port: listen }
  return tryWith(kit, settings, taking, options, configuration, io)
}

function onlyOne(configuration: Configuration): ProviderKit {
  const set = kits.filter((kit) => configuration.settings(kit)['apiKey'] !== undefined)
  const [kit] = set
  if (kit && set.length === 1) return kit
  throw new UsageError(`say which: mailtrail verify ${kits.map((one) => one.provider).join('|')}`)
}

/** Where events come in. */
interface Taking {
  store: Store
  webhooks: Webhook[]
  /** Taken here, where there is a port. */
  port?: number
}

async function tryWith(
  kit: ProviderKit,
  settings: ProviderSettings,
  taking: Taking,
  options: VerifyOptions,
  configuration: Configuration,
  io: Io,
): Promise<ExitCode> {
  const { port, ...parts } = taking
  const correlator = createCorrelator(parts)
  let server: Server | undefined
  try {
    if (port !== undefined) {
      server = createServer(correlator.nodeHandler)
      await listenAt(server, port)
    }
    return await roundTrip(kit, settings, correlator, options, configuration, io)
  } finally {
    server?.closeAllConnections()
    server?.close()
    await correlator.close({ timeout: 0 })
  }
}

async function inSandbox(
  kit: ProviderKit,
  options: VerifyOptions,
  configuration: Configuration,
  io: Io,
): Promise<ExitCode> {
  const server = createServer()
  const webhookUrl = below(`${await listenAt(server, 0)}/webhooks`, kit.provider)
  const keys = { ...kit.newSandbox(), ...(kit.signsUrl && { url: webhookUrl }) }
  const simulator = kit.createSimulator(keys)
  if (!simulator) throw new Error(`${kit.title} has no sandbox`)
  const running = await startProvider(simulator, { webhookUrl })
  const correlator = createCorrelator({
    store: memoryStore(),
    webhooks: [kit.createWebhook(keys)],
  })
  server.on('request', correlator.nodeHandler)
  try {
    const settings = { ...keys, baseUrl: running.url }
    return await roundTrip(kit, settings, correlator, options, configuration, io)
  } finally {
    await running.close()
    server.closeAllConnections()
    server.close()
    await correlator.close({ timeout: 0 })
  }
}
