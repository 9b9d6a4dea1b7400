/** An HTTP request to a provider's API. */
export interface ApiRequest {
  method: string
  /** Path and query. */
  path: string
  /** By lower-case name. */
  headers: Readonly<Record<string, string | undefined>>
  body: Buffer
}

/** What the provider's API answers. */
export interface ApiAnswer {
  status: number
  headers: Record<string, string>
  body: string
}

/** A message that a simulated provider has accepted. */
export interface SimulatedMessage {
  /** The provider's id; where each recipient has one, the first one's. */
  id: string
  recipients: SimulatedRecipient[]
  subject: string
  /** As it was sent: the custom arguments, user variables or metadata, our own id among them. */
  metadata: Record<string, string>
  tags: string[]
  /** The RFC 5322 Message-ID, bare. */
  messageId: string
  /** The request as it came: the JSON, or the fields of the form. */
  request: unknown
}

/** Whom a message goes to that a simulated provider has accepted. */
export interface SimulatedRecipient {
  address: string
  /** The provider's id of the message, for this recipient. */
  id: string
}

/** Every type of event that a simulated provider may tell. */
export const simulatedEventTypes = [
  'accepted',
  'deferred',
  'delivered',
  'bounced',
  'rejected',
  'opened',
  'clicked',
  'complained',
  'unsubscribed',
] as const

/** What a simulated provider can tell of any message. */
export type SimulatedEventType = (typeof simulatedEventTypes)[number]

/** An event that a simulated provider is to tell, in words that fit each of them. */
export interface SimulatedEvent {
  type: SimulatedEventType
  /** The address it happens to. */
  recipient: string
  /** When it happened; now by default. */
  at?: Date
  /** How a bounce came about; `later` is one after acceptance. Default `hard`. */
  bounce?: 'hard' | 'soft' | 'later'
  /** The link of a click. */
  url?: string
  /** As in mail that was not sent by our transport. */
  withoutOwnId?: boolean
  /**
   * It is no new fact but that one, told again as it was told first, or under another id of the provider. The
   * event is the very object that was told.
   */
  repeats?: { event: SimulatedEvent; underOtherId?: boolean }
  /** The last word on the entry, before it is signed. */
  change?: (entry: Record<string, unknown>) => unknown
}

/** A signed webhook request, ready to be posted. */
export interface SignedRequest {
  headers: Record<string, string>
  // Named so closely because the `fetch` of browsers' types takes no memory that might be shared.
  body: Buffer<ArrayBuffer>
}

/** What a provider tells beside what becomes of a message there. */
export type OtherEventType = 'subscribed' | 'suppression' | 'inbound' | 'unknown'

/** Requests that tell of other events. */
export type OtherRequests = {
  [T in OtherEventType]?: SignedRequest & {
    /** It is posted one path further than events. */
    inbound?: boolean
  }
}

/** An event that a simulated provider has told, or tried to. */
export interface ToldEvent {
  message: SimulatedMessage
  event: SimulatedEvent
  /** As it was written in the webhook. */
  entry: unknown
  at: Date
}

/** How a provider comes again with what was not taken. */
export interface WebhookRetries {
  /** How long it waits before each further time, in ms. */
  waits: readonly number[]
  /** Whether it comes no more after this answer; 0 is none. */
  isTaken: (status: number) => boolean
}

/** A provider without a network: it answers API calls and makes truly signed webhooks. */
export interface ProviderSimulator {
  readonly provider: string
  /** When it comes again; never, where it has none. */
  readonly retries?: WebhookRetries
  /**
   * Answers an API call; `message` is what was accepted by it.
   *
   * @param told what it knows of events so far, for the calls that ask for them; none by default
   */
  answer(
    request: ApiRequest,
    now: Date,
    told?: readonly ToldEvent[],
  ): Promise<{ answer: ApiAnswer; message?: SimulatedMessage }>
  /** An event as the provider writes it. */
  entry(message: SimulatedMessage, event: SimulatedEvent, now: Date): Record<string, unknown>
  /** The requests that carry these entries; `forged` ones are signed with another key. */
  webhooks(entries: readonly unknown[], now: Date, forged?: boolean): SignedRequest[]
  /** One of each of the other events that it tells, about this message or in answer to it. */
  others?(message: SimulatedMessage, now: Date): OtherRequests
}

/** A webhook as it is registered in a provider's account. */
export interface RegisteredWebhook {
  url: string
  enabled: boolean
  /** The provider's own names of the events that it tells. */
  events: readonly string[]
  /** What its posts are to be verified with, as far as the account says it. */
  signing: { kind: 'key'; key: string } | { kind: 'none' } | { kind: 'unknown' }
  /** What the provider has noted of a try that failed. */
  lastError?: string
}

/** An address on one of a provider's own lists. */
export interface SimulatedSuppression {
  address: string
  cause: 'bounced' | 'complained' | 'unsubscribed'
  since: Date
  detail?: string
}

/** What is set up in the account of a simulated provider; nothing by default. */
export interface SimulatedAccount {
  webhooks?: readonly RegisteredWebhook[]
  suppressions?: readonly SimulatedSuppression[]
}
