import type { EventEmitter } from 'node:events'

/** The part of Nodemailer's MailMessage that is used here; it is the same from version 6.9 to 10. */
export interface NodemailerMail {
  data: object
  readonly mailer: EventEmitter
  readonly message: NodemailerNode
  normalize(callback: (error: Error | null, content?: unknown) => void): void
}

/** The root of the MIME tree that Nodemailer made of the message, with all plugins applied to it. */
export interface NodemailerNode {
  /** The line ends of what is built: `windows` makes them CRLF. */
  newline?: string | undefined
  getAddresses(): object
  getEnvelope(): { from: string | false; to: string[] }
  messageId(): unknown
  getHeader(name: string): unknown
  setHeader(name: string, value: unknown): unknown
  setRaw(document: Buffer): unknown
  encodeHeaderValue(name: string, value: string): string
  buildHeaders(): string
  /** Reads all content, signs it where that was asked for, and writes the whole document. */
  build(callback: (error: Error | null, document?: unknown) => void): void
}
