import { isUtf8 } from 'node:buffer'
import type { Attachment } from '../../resolved-mail.js'

/** A file in the form of a message. */
export interface MailgunFile {
  filename: string
  contentType: string
  content: Buffer
}

export function fileOf({ filename, contentType, content }: Attachment): MailgunFile {
  // Without a charset readers of the mail may take it for ASCII.
  const needsCharset = /^text\/(?!.*charset=)/i.test(contentType) && isUtf8(content)
  return {
    filename,
    contentType: needsCharset ? `${contentType}; charset=utf-8` : contentType,
    content,
  }
}

/** A form has escapes for quotes and line breaks in a name, and none for what looks like one. */
export function isReadOtherwise(name: string): boolean {
  return /%(?:22|0[ad])/i.test(name)
}

/** How much it is in a mail: base64, in lines of 76 characters. */
export function sizeInMail({ content }: MailgunFile): number {
  return Math.ceil(content.length / 57) * 78
}
