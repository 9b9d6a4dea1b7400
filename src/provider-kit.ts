import type { ParsedEvent } from './event.js'
import type { EventHistory, SendRecorder, Webhook } from './provider.js'
import type {
  ProviderSimulator,
  RegisteredWebhook,
  SignedRequest,
  SimulatedAccount,
} from './simulator.js'
import type { SuppressionEntry } from './suppressions.js'
import type { ProviderTransport, SentInfo } from './transporter.js'

/** What somebody has set for one provider, by the names that its options have; a key may be several. */
export type ProviderSettings = Readonly<Record<string, string | readonly string[]>>

/** One thing that can be set. */
export interface Setting {
  name: string
  /** Where it is looked for in the environment. */
  variable: string
  /** Whether it stays out of what is printed. */
  secret: boolean
}

/** What keeps mail or its events from getting where they should, or may. */
export interface Finding {
  /** By which a program tells it from others, such as `trailing-slash`. */
  code: FindingCode
  /** A `warning` may be as it is meant. */
  severity: 'fault' | 'warning'
  /** What is wrong, in words that hold no secret and no address. */
  what: string
  /** What to do about it. */
  todo: string
}

export type FindingCode =
  // of what is set
  | 'missing-setting'
  | 'not-a-key'
  | 'pem-key'
  | 'api-key-as-signing-key'
  | 'plain-http'
  | 'sandbox-mode'
  // of the provider's account
  | 'provider-unreachable'
  | 'api-key-refused'
  | 'api-key-limited'
  | 'wrong-region'
  | 'missing-webhook'
  | 'disabled-webhook'
  | 'unsigned-webhook'
  | 'failing-webhook'
  | 'missing-events'
  | 'wrong-signing-key'
  | 'wrong-scheme'
  | 'trailing-slash'
  | 'other-url'
  | 'two-apps'
  // of clocks
  | 'clock-off'
  // of the endpoint
  | 'endpoint-unreachable'
  | 'endpoint-missing'
  | 'endpoint-redirects'
  | 'endpoint-unavailable'
  | 'endpoint-refuses'
  | 'accepts-anybody'
  | 'reserialised-body'

/** What a provider's account says of itself. */
export interface Inspection {
  /** The webhooks that are registered; undefined where that could not be asked. */
  webhooks?: RegisteredWebhook[]
  /** What time the provider's clock showed. */
  answeredAt?: Date
  findings: Finding[]
}

/** A provider's account, asked through its API. */
export interface ProviderAccount {
  /** It never rejects: what keeps it from asking is a finding. */
  inspect(): Promise<Inspection>
  /** The provider's own lists, entry by entry. Rejects with an `AccountError`. */
  suppressions(): AsyncIterable<SuppressionEntry>
}

/** A body as it was posted, or a part of one that somebody has kept. */
export interface Payload {
  body: Buffer
  /** As it came, or as it looks. */
  contentType: string
}

/** Everything about one provider under one name, for what deals with all of them: the command line. */
export interface ProviderKit {
  readonly provider: string
  /** As people write it. */
  readonly title: string
  /** How a program sends through it: what it imports, from where, and with which SDK. */
  readonly sending: { factory: string; entry: string; sdk: string }
  readonly settings: readonly Setting[]
  /** The setting that its webhooks are verified with. */
  readonly verifiedWith: string
  /** Whether its signatures cover the webhook's URL, to the letter. */
  readonly signsUrl: boolean
  /** Without which of its events, by its own names, it is not known what became of a message. */
  readonly neededEvents: readonly string[]

  /** @throws ConfigurationError when a setting is missing or wrong, as the three below */
  createTransport(
    settings: ProviderSettings,
    options: { correlator?: SendRecorder },
  ): ProviderTransport
  createWebhook(settings: ProviderSettings): Webhook
  createHistory(settings: ProviderSettings): EventHistory
  createAccount(settings: ProviderSettings): ProviderAccount

  /** What is to be set for a provider on this machine, all keys new. */
  newSandbox(): ProviderSettings
  /** The provider on this machine, with these keys; undefined where what signs is not among them. */
  createSimulator(
    settings: ProviderSettings,
    account?: SimulatedAccount,
  ): ProviderSimulator | undefined
  /**
   * A signed request whose body is the same after somebody has parsed and written it again; undefined where
   * what signs is not set, or signatures do not cover the body.
   */
  plainPost(settings: ProviderSettings, recipient: string, now: Date): SignedRequest | undefined

  /** The events of a payload, unverified; undefined where it is none of this provider's. */
  read(payload: Payload): Promise<ParsedEvent[] | undefined>
  /** Pure: what shows to be wrong by looking at the settings alone. */
  findFaults(settings: ProviderSettings): Finding[]
  /** Pure: the same of a message's own options, such as those that keep it from being sent. */
  findMailFaults(own: Readonly<Record<string, unknown>>): Finding[]
  /** Pure: the same of the answer to a message that was sent. */
  findAnswerFaults(info: Pick<SentInfo, 'response' | 'providerMessageId'>): Finding[]
  /** Whether two texts are the same key, however they are written. */
  isSameKey(one: string, other: string): boolean
  /** What the provider does after this answer to a webhook. */
  afterAnswer(status: number): { taken: boolean; words: string }
}
