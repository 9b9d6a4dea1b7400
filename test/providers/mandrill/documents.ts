import PostalMime, { type Attachment, type Email } from 'postal-mime'
import { headOf } from '../../../src/composed-mail.js'
import { readHeaders } from '../../../src/mail-head.js'

/** A document taken apart; files keep their bytes. */
export async function read(document: string): Promise<Email> {
  return PostalMime.parse(document, { attachmentEncoding: 'arraybuffer' })
}

/** The values of a header as they stand in the head, unfolded. */
export function valuesOf(document: string, name: string): string[] {
  return readHeaders(headOf(Buffer.from(document)))
    .filter((header) => header.name.toLowerCase() === name.toLowerCase())
    .map(({ value }) => value)
}

export function bytesOf({ content }: Attachment): Buffer {
  return typeof content === 'string' ? Buffer.from(content) : Buffer.from(new Uint8Array(content))
}

/** The part of a multipart document that has this in its head or its content. */
export function partWith(document: string, line: string): string {
  return document.split(/\r\n--[^\r\n]+(?=\r\n)/).find((part) => part.includes(line)) ?? ''
}
