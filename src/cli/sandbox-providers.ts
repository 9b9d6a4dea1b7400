import { v7 as uuidv7 } from 'uuid'
import { UsageError } from '../errors.js'
import { ownId, ownIdKey } from '../matching.js'
import type { MessageRecord } from '../message.js'
import { texts } from '../payload.js'
import type { ProviderKit, ProviderSettings } from '../provider-kit.js'
import type { SimulatedEventType, SimulatedMessage } from '../simulator.js'
import { type RunningProvider, startProvider } from '../testing/provider-server.js'
import { below } from './configuration.js'
import { portTaken } from './ports.js'

/** What a key, or a line, makes of the last message. */
export const actions: readonly { key: string; type: SimulatedEventType; words: string }[] = [
  { key: 'b', type: 'bounced', words: 'bounces' },
  { key: 'd', type: 'deferred', words: 'is put off' },
  { key: 'o', type: 'opened', words: 'is opened' },
  { key: 'k', type: 'clicked', words: 'is clicked' },
  { key: 'c', type: 'complained', words: 'is called spam' },
  { key: 'u', type: 'unsubscribed', words: 'has its reader unsubscribe' },
]

/** A provider of the sandbox, and what an application is to know of it. */
export interface SandboxProvider {
  kit: ProviderKit
  settings: ProviderSettings
  running: RunningProvider
}

/** How an application that takes webhooks below a URL is to be set up. */
export function settingsFor(
  kit: ProviderKit,
  keys: ProviderSettings,
  target: string,
): ProviderSettings {
  return kit.signsUrl ? { ...keys, url: below(target, kit.provider) } : keys
}

interface StartOptions {
  port: number
  took(message: SimulatedMessage, provider: SandboxProvider): void
}

/** A provider that posts nothing by itself: what happens to a message is told by whoever started it. */
export async function startSandboxProvider(
  kit: ProviderKit,
  settings: ProviderSettings,
  target: string,
  { port, took }: StartOptions,
): Promise<SandboxProvider> {
  const webhookUrl = below(target, kit.provider)
  const [key] = texts(settings[kit.verifiedWith] ?? [])
  const signing = key === undefined ? { kind: 'unknown' as const } : { kind: 'key' as const, key }
  const simulator = kit.createSimulator(settings, {
    webhooks: [{ url: webhookUrl, enabled: true, events: kit.neededEvents, signing }],
  })
  if (!simulator) throw new UsageError(`the sandbox has no key that signs for ${kit.title}`)
  const running = await startProvider(simulator, {
    port,
    webhookUrl,
    script: (message) => {
      // After the answer to the call, as it mostly is.
      setImmediate(() => took(message, provider))
      return []
    },
  }).catch(portTaken)
  const provider = { kit, settings: { ...settings, baseUrl: running.url }, running }
  return provider
}

/** The message as its transport has recorded it elsewhere, under the same id. */
export function recordOf(message: SimulatedMessage, provider: string, sentAt: Date): MessageRecord {
  return {
    trackingId: ownId(message.metadata[ownIdKey]) ?? uuidv7(),
    provider,
    providerMessageId: message.id,
    ...(message.messageId !== '' && { messageId: `<${message.messageId}>` }),
    envelope: { from: false, to: message.recipients.map(({ address }) => address) },
    to: message.recipients.map(({ address }) => ({ name: '', address })),
    cc: [],
    bcc: [],
    subject: message.subject,
    tags: message.tags,
    metadata: {},
    sentAt,
    recipients: message.recipients.map(({ address, id }) => ({
      address,
      kind: 'to',
      status: 'accepted',
      providerStatus: '',
      providerMessageId: id,
    })),
    outcome: 'sent',
  }
}
