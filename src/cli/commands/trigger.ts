import { randomBytes } from 'node:crypto'
import { UsageError } from '../../errors.js'
import { ownIdKey } from '../../matching.js'
import type { ProviderKit, ProviderSettings } from '../../provider-kit.js'
import {
  type SignedRequest,
  simulatedEventTypes,
  type SimulatedEventType,
  type SimulatedMessage,
} from '../../simulator.js'
import { type Configuration, endpointOf } from '../configuration.js'
import { createPrinter, type ExitCode, type Io } from '../io.js'
import { post } from '../posting.js'
import { kitNamed } from '../providers.js'
import { openSandbox } from '../sandbox.js'

export interface TriggerOptions {
  to?: string
  recipient: string
  /** Of which message the event is. */
  message?: string
  /** The provider's own id of it. */
  providerMessageId?: string
  json?: boolean
}

const sandboxKey = "the sandbox's key"

/** Posts a signed event at an endpoint, as the provider does, and says what its answer means there. */
export async function trigger(
  provider: string,
  event: string,
  options: TriggerOptions,
  configuration: Configuration,
  io: Io,
): Promise<ExitCode> {
  const printer = createPrinter(io.stdout, io.env, options.json)
  const kit = kitNamed(provider)
  const type = simulatedEventTypes.find((known) => known === event)
  if (!type) {
    throw new UsageError(`there is no event ${event}: there are ${simulatedEventTypes.join(', ')}`)
  }
  const configured = configuration.settings(kit)
  const url = options.to ?? endpointOf(configuration, kit, configured)
  if (url === undefined || !/^https?:\/\//.test(url)) {
    throw new UsageError(
      'say where the endpoint is: --to https://example.com/webhooks/…, or MAILTRAIL_URL',
    )
  }
  const { settings, whose } = signingSettings(kit, configured, url, io)
  const requests = signed(kit, settings, messageFor(options), type, options.recipient, io.now())
  let taken = true
  for (const request of requests) {
    const answer = await post(url, request)
    const after = kit.afterAnswer(answer.status)
    taken &&= after.taken
    printer.record({ url, type, ...answer, ...after, signedWith: whose })
    const said = answer.status === 0 ? `nobody answered (${answer.text})` : `${answer.status}`
    printer.line(`Posted “${type}” for ${options.recipient} to ${url}, signed with ${whose}.`)
    printer.line(`Answered: ${after.taken ? printer.green(said) : printer.red(said)}`)
    printer.line(after.words)
    if (!after.taken) for (const hint of hints(answer.status, kit, whose)) printer.line(hint)
  }
  return taken ? 0 : 1
}

/** Where to look for why an answer is what it is. */
function hints(status: number, kit: ProviderKit, whose: string): string[] {
  if (status === 0) return []
  if (status === 404) {
    return [
      `Nothing is mounted at this path: it ends in the name of the webhook, which is ${kit.provider} unless it was given another.`,
    ]
  }
  if (status >= 500) {
    return [
      "The application failed, and not the signature: its correlator.onError and correlator.on('refused') tell why.",
    ]
  }
  const known = `It was signed with the sandbox's key, which the endpoint has to know: mailtrail dev prints it.`
  return [
    ...(whose === sandboxKey ? [known] : []),
    `The endpoint tells nobody why. Its correlator.on('refused') does, or: mailtrail doctor ${kit.provider}`,
  ]
}

/** The keys that are set, where they can sign; else those of the sandbox. */
function signingSettings(
  kit: ProviderKit,
  configured: ProviderSettings,
  url: string,
  io: Pick<Io, 'env'>,
): { settings: ProviderSettings; whose: string } {
  const own = kit.signsUrl ? { url, ...configured } : configured
  if (kit.createSimulator(own)) return { settings: own, whose: 'the key that is set' }
  return {
    settings: { ...openSandbox(io)(kit), ...(kit.signsUrl && { url: own['url'] ?? url }) },
    whose: sandboxKey,
  }
}

function signed(
  kit: ProviderKit,
  settings: ProviderSettings,
  message: SimulatedMessage,
  type: SimulatedEventType,
  recipient: string,
  now: Date,
): SignedRequest[] {
  const simulator = kit.createSimulator(settings)
  if (!simulator) throw new UsageError(`no key that signs is set for ${kit.title}`)
  return simulator.webhooks([simulator.entry(message, { type, recipient }, now)], now)
}

function messageFor({ message, recipient, providerMessageId }: TriggerOptions): SimulatedMessage {
  const id = providerMessageId ?? randomBytes(16).toString('hex')
  return {
    id,
    recipients: [{ address: recipient, id }],
    subject: 'Triggered by mailtrail',
    metadata: message === undefined ? {} : { [ownIdKey]: message },
    tags: ['mailtrail-trigger'],
    messageId: `${id}@mailtrail.invalid`,
    request: null,
  }
}
