import { createServer } from 'node:http'
import { createCorrelator } from '../../correlator.js'
import { messageOf, UsageError } from '../../errors.js'
import type { MailEvent } from '../../event.js'
import type { SimulatedEventType, SimulatedMessage } from '../../simulator.js'
import { memoryStore } from '../../stores/memory.js'
import { clockTime, matchInWords } from '../event-words.js'
import { createPrinter, ended, type ExitCode, type Io, type Printer } from '../io.js'
import { listenToKeys } from '../keys.js'
import { listenAt } from '../ports.js'
import { kits } from '../providers.js'
import { introduction } from '../sandbox-introduction.js'
import {
  actions,
  recordOf,
  type SandboxProvider,
  settingsFor,
  startSandboxProvider,
} from '../sandbox-providers.js'
import { openSandbox } from '../sandbox.js'

export interface DevOptions {
  /** Where the application takes webhooks; without it the sandbox does. */
  to?: string
  /** The first of four; with 0 they are any that are free. */
  port: number
  json?: boolean
}

/** A sandbox: simulated providers on this machine, whose webhooks go to the application or are taken here. */
export async function dev({ to, port, json }: DevOptions, io: Io): Promise<ExitCode> {
  const printer = createPrinter(io.stdout, io.env, json)
  if (to !== undefined && !/^https?:\/\//.test(to)) {
    throw new UsageError('--to is no http or https URL')
  }
  const sandbox = openSandbox(io)
  const server = to === undefined ? createServer() : undefined
  const target = server ? `${await listenAt(server, port)}/webhooks` : (to ?? '')
  const providers: SandboxProvider[] = []
  const subjects = new Map<string, string>()
  const correlator = createCorrelator({
    store: memoryStore(),
    foreignAfter: 0,
    webhooks: kits.map((kit) => kit.createWebhook(settingsFor(kit, sandbox(kit), target))),
  })
  server?.on('request', correlator.nodeHandler)
  correlator.onAny((event) => tellEvent(printer, event, subjects.get(event.trackingId ?? '')))
  correlator.onError((error) => {
    printer.line(printer.red(`refused: ${error.message}`))
    printer.record({ kind: 'refused', message: error.message })
  })
  const tellFailure = (error: unknown): void => printer.line(printer.red(messageOf(error)))
  let last: { message: SimulatedMessage; provider: SandboxProvider } | undefined

  async function post(
    { message, provider }: NonNullable<typeof last>,
    type: SimulatedEventType,
  ): Promise<void> {
    const events = message.recipients.map(({ address }) => ({ type, recipient: address }))
    for (const { status } of await provider.running.post(message, { events })) {
      const { taken, words } = provider.kit.afterAnswer(status)
      printer.record({ kind: 'posted', provider: provider.kit.provider, type, status, taken })
      if (to === undefined && taken) continue
      const answer = status === 0 ? 'nobody answered' : `answered ${status}`
      const what = `${clockTime(io.now())}  ${provider.kit.title.padEnd(8)}  ${type.padEnd(12)}`
      printer.line(`${what}  ${taken ? printer.green(answer) : printer.red(answer)}`)
      if (!taken) printer.line(`          ${words}`)
    }
  }

  async function took(message: SimulatedMessage, provider: SandboxProvider): Promise<void> {
    const record = recordOf(message, provider.kit.provider, io.now())
    subjects.set(record.trackingId, message.subject)
    last = { message, provider }
    const recipients = message.recipients.map(({ address }) => address)
    printer.line(
      `${clockTime(io.now())}  ${provider.kit.title.padEnd(8)}  ${printer.bold('message'.padEnd(12))}  “${message.subject}” to ${recipients.join(', ')}`,
    )
    printer.record({
      kind: 'message',
      provider: provider.kit.provider,
      trackingId: record.trackingId,
      subject: message.subject,
      recipients,
    })
    if (server) await correlator.recordSending(record)
    await post({ message, provider }, 'accepted')
    await post({ message, provider }, 'delivered')
  }

  try {
    for (const [index, kit] of kits.entries()) {
      const settings = settingsFor(kit, sandbox(kit), target)
      const provider = await startSandboxProvider(kit, settings, target, {
        port: port === 0 ? 0 : port + 1 + index,
        took: (message, from) => void took(message, from).catch(tellFailure),
      })
      providers.push(provider)
    }
    introduction(printer, { providers, target, own: to === undefined })
    const stop = listenToKeys(io, (word) => {
      const action =
        actions.find(({ key }) => word === key) ?? actions.find(({ type }) => type.startsWith(word))
      if (word === 'q' || word === 'quit') stop.quit()
      else if (!action) {
        const known = actions.map(({ key, words }) => `${key} ${words}`).join(', ')
        printer.line(`the last message, by key or line: ${known}; q ends the sandbox`)
      } else if (!last) printer.line('no message has come yet')
      else void post(last, action.type).catch(tellFailure)
    })
    await Promise.race([ended(io.signal), stop.asked])
    stop.close()
    return 0
  } finally {
    await Promise.all(providers.map(({ running }) => running.close()))
    server?.closeAllConnections()
    server?.close()
    await correlator.close({ timeout: 0 })
  }
}

function tellEvent(printer: Printer, event: MailEvent, subject: string | undefined): void {
  const { provider, type, recipient = '', id, trackingId } = event
  const title = kits.find((kit) => kit.provider === provider)?.title ?? provider
  const about = subject === undefined ? '' : `“${subject}”  `
  printer.line(
    `${clockTime(event.receivedAt)}  ${title.padEnd(8)}  ${type.padEnd(12)}  ${recipient}  ${about}${printer.dim(matchInWords(event))}`,
  )
  const { correlation } = event
  printer.record({ kind: 'event', provider, type, recipient, id, trackingId, correlation })
}
