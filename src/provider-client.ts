import type { ComposedMail } from './composed-mail.js'
import type { MailHead } from './mail-head.js'
import type { ProviderTask } from './mail-options.js'
import type { NodemailerMail } from './nodemailer-mail.js'
import type { Fields } from './payload.js'
import type { ResolvedMail } from './resolved-mail.js'
import type { SendAnswer } from './send-result.js'

/** What the portable options say of a message. */
export interface PortableOptions extends ProviderTask {
  /** Labels for statistics. */
  tags: string[]
  /** What is to come back with every event. */
  metadata: Record<string, string>
}

/** A message on its way to a provider: its content as plain values, and the portable options. */
export interface OutgoingMail extends ResolvedMail, PortableOptions {}

/** A message on its way to a provider as one MIME document. */
export interface OutgoingDocument extends ComposedMail, PortableOptions {
  /** Everybody it goes to, whatever its headers say. */
  recipients: string[]
}

/** What goes to the provider, and the fields that it does not say. */
export interface BuiltRequest<Request> {
  request: Request
  lost: string[]
}

/** One provider's way of sending. */
export interface ProviderClient<Request> {
  /** The fields of a message, by their names, that it carries beyond those that each one does. */
  readonly carries?: ReadonlySet<string>
  /** Pure: what else of a message its own fields cannot say, by the name that the caller gave it. */
  beyondFields?(head: MailHead, message: NodemailerMail['message']): string[]
  /** Pure: which groups a message belongs to that recipients can unsubscribe from by themselves. */
  groupsOf?(own: Fields): string[]
  /**
   * Pure: what goes to the provider, our id planted in it, and the fields that it cannot carry.
   * Throws a `SendError` for a message that the provider would refuse.
   *
   * @param now in ms since 1970, for what is to be sent later
   */
  buildRequest(mail: OutgoingMail, trackingId: string, now: number): BuiltRequest<Request>
  /** How it takes messages that its fields cannot say. */
  readonly mime?: MimeRoute<Request>
  /** Pure: the calls that a message takes in which every recipient gets one of its own; one by default. */
  calls?(mail: OutgoingMail): OutgoingMail[]
  /** Calls the provider. Rejects with a `SendError` that is free of secrets. */
  send(request: Request): Promise<SendAnswer>
  /** Checks the credentials with a call that sends nothing. Rejects with a `SendError` where they are none. */
  verify?(): Promise<void>
}

/** A provider's way of sending whole MIME documents. */
export interface MimeRoute<Request> {
  /** What the provider takes from no document, by the name that the caller gave it, in lower case. */
  readonly lacks?: ReadonlySet<string>
  /** Pure, as the other `buildRequest`. */
  buildRequest(mail: OutgoingDocument, trackingId: string, now: number): BuiltRequest<Request>
}

/** The message in several, each of which goes to so many recipients at most. */
export function inBatches(mail: OutgoingMail, most: number): OutgoingMail[] {
  const everybody = (['to', 'cc', 'bcc'] as const).flatMap((kind) =>
    mail[kind].map((address) => ({ kind, address })),
  )
  const count = Math.max(1, Math.ceil(everybody.length / most))
  return Array.from({ length: count }, (_, index) => {
    const batch = everybody.slice(index * most, (index + 1) * most)
    const having = (wanted: 'to' | 'cc' | 'bcc') =>
      batch.filter(({ kind }) => kind === wanted).map(({ address }) => address)
    return { ...mail, to: having('to'), cc: having('cc'), bcc: having('bcc') }
  })
}
