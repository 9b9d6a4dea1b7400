import type { EventEmitter } from 'node:events'
import type { SendMailOptions, Transport, Transporter } from 'nodemailer'
import type { Envelope, SentMessage, SentRecipient } from './message.js'
import type { Sender } from './sender.js'

/** What `sendMail` resolves with. */
export interface SentInfo {
  /** Who it went from and to, as bare addresses. */
  envelope: Envelope
  /** The RFC 5322 Message-ID. */
  messageId: string
  /** The addresses that the provider accepted. */
  accepted: string[]
  /** The addresses that it refused; `recipients` says why. */
  rejected: string[]
  /** The addresses that its answer left open. */
  pending: string[]
  /** The provider's answer in a line. */
  response: string
  /** Our id of the message: what `correlator.message()` and `waitFor()` ask for. */
  trackingId: string
  /** `sendgrid`, `mailgun`, `mandrill`, or the name of another provider. */
  provider: string
  /** The provider's id, bare; Mandrill's is that of the first accepted recipient. */
  providerMessageId?: string
  /** Every recipient, and what the provider answered for it. */
  recipients: SentRecipient[]
}

/**
 * What a message may have under the name of a provider: it is merged into what that is sent. Each
 * provider's entry adds its line.
 */
export interface ProviderMailOptions {}

/** What a message may have beside Nodemailer's own fields, with any provider. */
export interface PortableMailOptions extends ProviderMailOptions {
  /** Labels for statistics: categories at SendGrid, tags elsewhere. */
  tags?: readonly string[]
  /** Your own data; it comes back with every event. */
  metadata?: Readonly<Record<string, string>>
  /** A template that is kept at the provider. */
  templateId?: string
  /** What the template is filled with. */
  templateData?: Readonly<Record<string, unknown>>
  /**
   * What differs from recipient to recipient, by address. With it every recipient, also in `cc` and `bcc`,
   * gets a message of its own and sees no other; who has no entry gets what is the same for all.
   */
  recipientData?: Readonly<Record<string, RecipientDataOptions>>
  /** When the provider is to send it; at once by default. */
  sendAt?: Date | string
  /** Whether openings are told; as the account is set up by default. */
  trackOpens?: boolean
  /** Whether clicks are told; as the account is set up by default. */
  trackClicks?: boolean
  /** Sends it to recipients too whom the correlator's suppressions speak of: a password reset, say. */
  ignoreSuppressions?: boolean
  /** Ends the sending of this message as long as nothing was sent: it waits for no further try then. */
  signal?: AbortSignal
}

/** What differs in the message of one recipient. */
export interface RecipientDataOptions {
  /** Goes over `templateData`. */
  data?: Readonly<Record<string, unknown>>
  /** Goes over `metadata`, and comes back with the events of this recipient. */
  metadata?: Readonly<Record<string, string>>
  /** Beside those of the message. */
  headers?: Readonly<Record<string, string>>
}

/** What `sendMail` takes: Nodemailer's own fields, and the portable ones. */
export type MailOptions = SendMailOptions & PortableMailOptions

/** The events of a transporter that was made with one of our transports. */
export interface TransporterEvents {
  /**
   * Once for every `sendMail` that Nodemailer hands on, however it ended; `failFlag` when no
   * recipient was accepted.
   */
  sent: [message: SentMessage, failFlag: boolean]
  /** The same event under its longer name. */
  emailSent: [message: SentMessage, failFlag: boolean]
}

/** The events of a transport itself. */
export interface TransportEvents {
  /** Once for every message, however it ended; `failFlag` when no recipient was accepted. */
  emailSent: [message: SentMessage, failFlag: boolean]
}

type ListenerMethod =
  | 'on'
  | 'once'
  | 'off'
  | 'addListener'
  | 'removeListener'
  | 'prependListener'
  | 'prependOnceListener'

// One conditional signature, for a wrong listener of a known event must not fall through to the rest.
type Listener<Name> = Name extends keyof TransporterEvents
  ? (...values: TransporterEvents[Name]) => unknown
  : Parameters<EventEmitter['on']>[1]

/** What our transports are: a Nodemailer transport, and an emitter of `emailSent`. */
export interface ProviderTransport<Info extends SentInfo = SentInfo>
  extends Omit<Transport<Info>, 'on'>, EventEmitter<TransportEvents> {
  /** The provider's name; the overload of `createTransport` below knows our transports by it. */
  readonly provider: Info['provider']
  /** What it sends through; failover makes one transport of several. */
  readonly senders: readonly Sender<Info['provider']>[]
}

/** What `nodemailer.createTransport()` makes of one of our transports. */
export interface ProviderTransporter<Info extends SentInfo = SentInfo>
  extends
    Omit<Transporter<Info>, ListenerMethod | 'sendMail'>,
    Record<
      ListenerMethod,
      <Name extends string | symbol>(
        name: Name,
        listener: Listener<Name>,
      ) => ProviderTransporter<Info>
    > {
  /**
   * Sends a message.
   *
   * ```ts
   * const { trackingId } = await transporter.sendMail({ from, to, subject, text, tags: ['welcome'] })
   * ```
   *
   * @throws SendError when no recipient was accepted; its `outcome` says whether it may have gone out all the same
   */
  sendMail(mail: MailOptions): Promise<Info>
  /** The same for a callback, which gets the `SendError`, or `null` and the info. */
  sendMail(mail: MailOptions, callback: (error: Error | null, info: Info) => void): void
}

declare module 'nodemailer' {
  function createTransport<Info extends SentInfo>(
    transport: ProviderTransport<Info>,
    defaults?: MailOptions,
  ): ProviderTransporter<Info>
  // Of one among several no single `Info` can be inferred, as where a setting chooses the provider.
  function createTransport(
    transport: ProviderTransport,
    defaults?: MailOptions,
  ): ProviderTransporter
}
