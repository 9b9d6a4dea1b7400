import { headOf } from '../../composed-mail.js'
import { readHeaders } from '../../mail-head.js'
import { text } from '../../payload.js'

/** What a message says of itself. */
export interface SimulatedHead {
  messageId?: string
  subject: string
}

export async function documentHead(document: unknown): Promise<SimulatedHead> {
  const bytes = document instanceof File ? await document.arrayBuffer() : new ArrayBuffer(0)
  const headers = readHeaders(headOf(Buffer.from(bytes)))
  const valueOf = (wanted: string): string | undefined =>
    headers.find(({ name }) => name.toLowerCase() === wanted)?.value
  const messageId = text(valueOf('message-id'))
  return {
    ...(messageId !== undefined && { messageId }),
    subject: withoutEncodedWords(valueOf('subject') ?? ''),
  }
}

/** RFC 2047, as far as Nodemailer makes use of it. */
function withoutEncodedWords(value: string): string {
  return value
    .replace(/(\?=)\s+(?==\?)/g, '$1')
    .replace(/=\?utf-8\?([bq])\?([^?]*)\?=/gi, (_, encoding: string, words: string) =>
      (encoding.toLowerCase() === 'b' ? Buffer.from(words, 'base64') : quoted(words)).toString(),
    )
}

function quoted(words: string): Buffer {
  const bytes = words
    .replaceAll('_', ' ')
    .replace(/=([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(bytes, 'latin1')
}
