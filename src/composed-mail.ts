import type { Header, MailHead } from './mail-head.js'
import type { NodemailerMail } from './nodemailer-mail.js'
import { fields } from './payload.js'
import { checkContent } from './resolved-mail.js'

/** A message as one MIME document, composed and signed by Nodemailer. */
export interface ComposedMail extends MailHead {
  /** With CRLF at the end of each line, and without Bcc. */
  document: Buffer
}

/** Reads the content and composes the document. */
export async function composeMail(mail: NodemailerMail): Promise<Buffer> {
  checkContent(fields(mail.data))
  // Not every provider mends the line ends of what it is given.
  mail.message.newline = 'windows'
  const document = await new Promise<unknown>((resolve, reject) => {
    mail.message.build((error, built) => (error ? reject(error) : resolve(built)))
  })
  if (!Buffer.isBuffer(document)) throw new TypeError('Nodemailer composed no document')
  return document
}

/** The block of headers that a document begins with. */
export function headOf(document: Buffer): string {
  const end = document.indexOf('\r\n\r\n')
  return document.subarray(0, end < 0 ? document.length : end).toString()
}

/** The document with more headers ahead of its own, where they break no signature. */
export function withHeaders(document: Buffer, headers: readonly Header[]): Buffer {
  const block = headers.map(({ name, value }) => `${folded(`${name}: ${value}`)}\r\n`)
  return Buffer.concat([Buffer.from(block.join('')), document])
}

/** Wherever there is a space and the line long enough; RFC 5322 ends lines at 998 bytes. */
function folded(line: string): string {
  return line.replace(/(.{60,}?) (?=\S)/g, '$1\r\n ')
}

/** A document that was given as one may still have it, and everybody would see it there. */
export function withoutBcc(document: Buffer): Buffer {
  const end = document.indexOf('\r\n\r\n')
  const head = document.subarray(0, end < 0 ? document.length : end + 2)
  const kept = head.toString('latin1').replace(/^bcc:.*\r\n(?:[ \t].*\r\n)*/gim, '')
  return kept.length === head.length
    ? document
    : Buffer.concat([Buffer.from(kept, 'latin1'), document.subarray(head.length)])
}
