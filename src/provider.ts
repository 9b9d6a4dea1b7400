import type { CorrelatorError, RefusalReason } from './errors.js'
import type { ParsedEvent } from './event.js'
import type { MessageRecord, SendResult } from './message.js'
import type { Observer } from './observer.js'
import type { Suppression } from './store.js'

/** What is known of a request before its body is read. */
export interface WebhookRequestHead {
  method: string
  /** Path and query, as they were asked for. */
  target: string
  /** The value of a header, by its lower-case name. */
  header(name: string): string | undefined
  /** The caller's IP address, also behind trusted proxies; undefined where the server does not tell it. */
  clientAddress?: string
}

/** A webhook request as it came: the body is the raw bytes, for signatures are over those. */
export interface WebhookRequest extends WebhookRequestHead {
  body: Buffer
}

/** A one-time token that a signature covers in place of the body, bound to what came with it. */
export interface Nonce {
  token: string
  /** A digest of the content that the token first came with. */
  content: string
}

/** Why a request is not taken. */
export interface Refusal {
  kind: 'refused'
  reason: RefusalReason
  /** For whoever reads the log: what is wrong and what to do, without a secret or an address. */
  detail: string
  /** When the caller may come again, in ms. */
  retryAfter?: number
}

/** What a provider's webhook made of a request. */
export type WebhookReading = { kind: 'events'; events: ParsedEvent[]; nonce?: Nonce } | Refusal

/** The HTTP statuses that make a provider stop, or come again. */
export interface WebhookAnswers {
  /** Every event is stored. */
  stored: number
  /** GET or HEAD: somebody tries whether the URL is there. */
  tried: number
  /** A guard refused it. */
  denied: number
  /** Not proven to be the provider's, or used before with other content. */
  forged: number
  /** Not what the provider sends. */
  malformed: number
  /** A content type or an encoding that is not read. */
  unsupported: number
  tooLarge: number
  /** The body did not come in time, or not whole. */
  tooSlow: number
  /** A rate limit is reached. */
  limited: number
  /** Our own failure: it is to come again. */
  unavailable: number
}

/** Decides by what stands before the body whether a request is read at all. */
export interface Guard {
  /** What it refuses, or undefined. When it rejects, the request is answered 503 and comes again. */
  check(request: WebhookRequestHead): Refusal | undefined | Promise<Refusal | undefined>
  /** Told of a request that passed, and was refused all the same. */
  refused?(request: WebhookRequestHead, reason: RefusalReason): void | Promise<void>
}

/** What is served under one path. */
export interface WebhookEndpoint {
  /** The largest body that is read, in bytes. */
  readonly maxBodyBytes: number
  /** Asked one after the other, before the body is read. */
  readonly guards?: readonly Guard[]
  /** What shows before the body to be wrong with a request: nothing more of it is read then. */
  refusedByHead?(request: WebhookRequestHead): Refusal | undefined
  /** Verifies, then parses. When it rejects, the request is answered 503 and comes again. */
  read(request: WebhookRequest, receivedAt: Date): Promise<WebhookReading>
}

/** One provider's webhook: it verifies a request and reads its events. Callers make these. */
export interface Webhook extends WebhookEndpoint {
  /** The provider's name, such as `sendgrid`. */
  readonly provider: string
  /** The end of the path that it is served under; the provider's name unless it was given another. */
  readonly name: string
  /** The statuses that differ from the usual ones. */
  readonly answers: Partial<WebhookAnswers>
  /** Inbound mail, where it comes another way than events: served at `…/<name>/inbound`. */
  readonly inbound?: WebhookEndpoint
}

/** A message of ours that a provider may be asked about. */
export interface SentIds {
  trackingId: string
  sentAt: Date
  /** The provider's ids of it: one, or one for each recipient. */
  providerMessageIds: string[]
}

/** What a history is read with. */
export interface HistoryRequest {
  /** Events that happened from then on, up to but not including `to`. */
  from: Date
  to: Date
  /** Where an earlier reading of the same span has ended. */
  position?: string
  signal?: AbortSignal
  /**
   * For providers that tell of events by message alone: ours that were sent through it and may have had
   * events in the span, the newest first, from those before `after` on; none when there are no more.
   */
  sent(after: string | undefined): Promise<readonly SentIds[]>
}

/** Events that a provider tells when it is asked. */
export interface HistoryPage {
  /** In the form that its webhook would have told them, so that those that it did are known again. */
  events: ParsedEvent[]
  /** Where this page ends: with it a reading goes on behind it, also in another process. */
  position: string
}

/** What a provider still knows of events, told or not. Callers make these, for `backfill`. */
export interface EventHistory {
  /** The provider's name, such as `sendgrid`. */
  readonly provider: string
  /** Page by page; the next is not asked for before this one is taken. Rejects with a `HistoryError`. */
  read(request: HistoryRequest): AsyncIterable<HistoryPage>
}

/** What a transport tells a correlator. Its rejections are `StoreError`s. */
export interface SendRecorder {
  /** Before the provider is called, so that no event can be ahead of its message. */
  recordSending(record: MessageRecord): Promise<void>
  /** After it answered, or failed to. */
  recordResult(record: MessageRecord, result: SendResult): Promise<void>
  /**
   * Those of these addresses that must not be mailed, whatever they are sent, or for one of these groups of the
   * provider. Without it nobody is suppressed.
   */
  suppressionsOf?(
    provider: string,
    addresses: readonly string[],
    groups: readonly string[],
  ): Promise<Suppression[]>
  /** Told of what is sent, too. */
  readonly observers?: readonly Observer[]
  /** Tells `onError` listeners of a failure that must not change what `sendMail` does. */
  reportError(error: CorrelatorError): void
}
