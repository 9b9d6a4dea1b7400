import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type Correlator, createCorrelator } from '../../correlator.js'
import { messageOf, SendError, WaitError } from '../../errors.js'
import type { EventType } from '../../event.js'
import type { ProviderKit, ProviderSettings } from '../../provider-kit.js'
import type { Webhook } from '../../provider.js'
import type { Store } from '../../store.js'
import { memoryStore } from '../../stores/memory.js'
import { startProvider } from '../../testing/provider-server.js'
import type { SentInfo } from '../../transporter.js'
import { below, type Configuration } from '../configuration.js'
import { inWords } from '../event-words.js'
import { createPrinter, type ExitCode, type Io, type Printer, UsageError } from '../io.js'
import { portTaken } from '../ports.js'
import { kitNamed, kits } from '../providers.js'

export interface VerifyOptions {
  to?: string
  from?: string
  /** With providers on this machine, and no account at all. */
  sandbox?: boolean
  /** Where the webhook is taken here, in place of by the application. */
  listen?: number
  event: 'accepted' | 'delivered' | 'bounced'
  /** In seconds. */
  timeout: number
  json?: boolean
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
  const correlator = createCorrelator(taking)
  let server: Server | undefined
  try {
    if (taking.port !== undefined) server = await serve(correlator, taking.port)
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
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const webhookUrl = below(`http://127.0.0.1:${portOf(server)}/webhooks`, kit.provider)
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

async function serve(correlator: Correlator, port: number): Promise<Server> {
  const server = createServer(correlator.nodeHandler)
  server.listen(port, '127.0.0.1')
  await once(server, 'listening').catch(portTaken)
  return server
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

async function roundTrip(
  kit: ProviderKit,
  settings: ProviderSettings,
  correlator: Correlator,
  { from = 'shop@example.com', to = 'ann@example.com', event, timeout, json }: VerifyOptions,
  configuration: Configuration,
  io: Io,
): Promise<ExitCode> {
  const printer = createPrinter(io.stdout, io.env, json)
  const refusals: string[] = []
  correlator.onError((error) => void refusals.push(error.message))
  printer.line(printer.bold(kit.title))
  const started = Date.now()
  let info: SentInfo
  try {
    const { default: nodemailer } = await import('nodemailer')
    const transporter = nodemailer.createTransport(kit.createTransport(settings, { correlator }))
    info = await transporter.sendMail({
      from,
      to,
      subject: 'A test by mailtrail verify',
      text: 'This message shows that mail goes out and that its events come in.',
      tags: ['mailtrail-verify'],
      ignoreSuppressions: true,
      [kit.provider]: configuration.mail(kit),
    })
  } catch (error) {
    if (!(error instanceof SendError)) throw error
    return failed(printer, kit, 'not-sent', error.message)
  }
  printer.line(`  sent after ${since(started)}: ${info.response}, ${info.trackingId}`)
  const [fault] = [...kit.findAnswerFaults(info), ...kit.findMailFaults(configuration.mail(kit))]
  if (fault) {
    printer.line(`  ${fault.todo}`)
    return failed(printer, kit, fault.code, fault.what)
  }
  try {
    const found = await correlator.waitFor(info.trackingId, event satisfies EventType, {
      timeout: timeout * 1000,
      signal: io.signal,
    })
    const { trackingId } = info
    printer.record({ provider: kit.provider, ok: true, trackingId, event: found })
    printer.line(`  ${printer.green(event)} after ${since(started)}: ${inWords(found)}`)
    return 0
  } catch (error) {
    if (!(error instanceof WaitError)) throw error
    const refused = refusals.map((words) => `; a webhook came, and was refused: ${words}`).at(-1)
    const what =
      error.code === 'ETIMEDOUT'
        ? `no ${event} event came within ${timeout} s${refused ?? ''}`
        : messageOf(error)
    printer.line(`  mailtrail doctor ${kit.provider} looks for the reason`)
    return failed(printer, kit, error.code === 'ETIMEDOUT' ? 'no-event' : 'ruled-out', what)
  }
}

const since = (started: number): string => `${((Date.now() - started) / 1000).toFixed(1)} s`

function failed(printer: Printer, { provider }: ProviderKit, code: string, what: string): ExitCode {
  printer.record({ provider, ok: false, code, what })
  printer.line(`  ${printer.red(code)}: ${what}`)
  return 1
}
