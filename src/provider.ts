import type { CorrelatorError, RefusalReason } from './errors.js'
import type { ParsedEvent } from './event.js'
import type { MessageRecord, SendResult } from './message.js'

/** A webhook request as it came: the body is the raw bytes, for signatures are over those. */
export interface WebhookRequest {
  /** The value of a header, by its lower-case name. */
  header(name: string): string | undefined
  body: Buffer
}

/** A one-time token that a signature covers in place of the body, bound to what came with it. */
export interface Nonce {
  token: string
  /** A digest of the content that the token first came with. */
  content: string
}

/** What a provider's webhook made of a request. */
export type WebhookReading =
  | { kind: 'events'; events: ParsedEvent[]; nonce?: Nonce }
  | { kind: 'refused'; reason: RefusalReason; detail: string }

/** The HTTP statuses that make a provider stop, or come again. */
export interface WebhookAnswers {
  /** Every event is stored. */
  stored: number
  /** Forged, replayed or stale: it must not come again. */
  forged: number
  /** Not what the provider sends, or in a form that is not read. */
  malformed: number
}

/** One provider's webhook: it verifies a request and reads its events. Callers make these. */
export interface Webhook {
  /** The provider's name, such as `sendgrid`. */
  readonly provider: string
  /** The end of the path that it is served under; the provider's name unless it was given another. */
  readonly name: string
  /** The largest body that is read, in bytes. */
  readonly maxBodyBytes: number
  readonly answers: WebhookAnswers
  /** Verifies, then parses. When it rejects, the request is answered 503 and comes again. */
  read(request: WebhookRequest, receivedAt: Date): Promise<WebhookReading>
}

/** What a transport tells a correlator. Its rejections are `StoreError`s. */
export interface SendRecorder {
  /** Before the provider is called, so that no event can be ahead of its message. */
  recordSending(record: MessageRecord): Promise<void>
  /** After it answered, or failed to. */
  recordResult(record: MessageRecord, result: SendResult): Promise<void>
  /** Tells `onError` listeners of a failure that must not change what `sendMail` does. */
  reportError(error: CorrelatorError): void
}
