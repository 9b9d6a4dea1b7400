import { composeMail, headOf, withHeaders, withoutBcc } from './composed-mail.js'
import { holdStreams } from './held-streams.js'
import { type Header, readHeaders } from './mail-head.js'
import type { SentRecipient } from './message.js'
import type { NodemailerMail } from './nodemailer-mail.js'
import { fields, text } from './payload.js'
import { type MailContent, resolveContent } from './resolved-mail.js'

/** A message as Nodemailer hands it on: what can be read of it only once is read once. */
export interface MailSource {
  readonly mail: NodemailerMail
  /** Those of its recipients who must not be mailed, and why. */
  readonly refused: SentRecipient[]
  /** Its content, read. */
  content(): Promise<MailContent>
  /** The whole of it as a MIME document, with what its head says by then. */
  document(): Promise<Buffer>
  /**
   * Given where something is to be read before the head is: a document that was given as one, and streams
   * that will be needed again.
   */
  open?(): Promise<void>
}

/** @param several it may be sent by one provider after another, so it must be readable again */
export function mailSource(mail: NodemailerMail, several: boolean): MailSource {
  const isRaw = Boolean(fields(mail.data)['raw'])
  // Once, for it may be signed on its way.
  const raw = once(() => composeMail(mail))
  return {
    mail,
    refused: [],
    content: () => resolveContent(mail),
    async document() {
      if (!isRaw) return composeMail(mail)
      const document = withoutBcc(await raw())
      const named = readHeaders(headOf(document)).some(({ name }) => /^message-id$/i.test(name))
      const value = text(mail.message.messageId()) ?? ''
      return named ? document : withHeaders(document, [{ name: 'Message-ID', value }])
    },
    ...(isRaw && { open: once(async () => takeHead(mail, readHeaders(headOf(await raw())))) }),
    ...(!isRaw && several && { open: once(() => holdStreams(mail)) }),
  }
}

function takeHead({ message }: NodemailerMail, headers: readonly Header[]): void {
  for (const { name, value } of headers) {
    if (recorded.test(name)) message.setHeader(name, value)
  }
}

// What is known of a message before its content is read.
const recorded = /^(?:from|to|cc|bcc|subject|message-id)$/i

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined
  return () => (result ??= work())
}
