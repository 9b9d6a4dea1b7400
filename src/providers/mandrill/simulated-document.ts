import { headOf } from '../../composed-mail.js'
import { type Header, readHeaders } from '../../mail-head.js'
import { readHead, readMime } from '../../mime.js'
import { fields, parseJson, text } from '../../payload.js'

/** What Mandrill takes from a document. */
export interface SimulatedDocument {
  sender: string | undefined
  /** Those in its headers. */
  recipients: string[]
  subject: string
  /** Bare. */
  messageId: string
  tags: string[]
  metadata: Record<string, string>
  hasFiles: boolean
}

export async function readDocument(source: string): Promise<SimulatedDocument> {
  const headers = headersOf(source)
  const { subject = '', messageId = '' } = await readHead(headers)
  const { parts } = await readMime(Buffer.from(source))
  return {
    sender: senderOf(source),
    recipients: addressesIn(valuesOf(headers, /^(?:to|cc|bcc)$/i)),
    subject,
    messageId: messageId.replace(/^<|>$/g, ''),
    tags: valuesOf(headers, /^x-mc-tags$/i)
      .flatMap((tags) => tags.split(','))
      .map((tag) => tag.trim()),
    metadata: metadataIn(valuesOf(headers, /^x-mc-metadata$/i)),
    hasFiles: parts.some(({ contentId }) => contentId === undefined),
  }
}

export function senderOf(source: string): string | undefined {
  return addressesIn(valuesOf(headersOf(source), /^from$/i))[0]
}

function headersOf(source: string): Header[] {
  return readHeaders(headOf(Buffer.from(source)))
}

function valuesOf(headers: readonly Header[], name: RegExp): string[] {
  return headers.filter((header) => name.test(header.name)).map(({ value }) => value)
}

/** Bare, and not those that a name in quotes may look like. */
function addressesIn(values: readonly string[]): string[] {
  return values.flatMap((value) => {
    const unquoted = value.replace(/"(?:[^"\\]|\\.)*"/g, '')
    return unquoted.match(/[^\s<>,;:()]+@[^\s<>,;:()]+/g) ?? []
  })
}

function metadataIn(values: readonly string[]): Record<string, string> {
  const entries = values.flatMap((json) => Object.entries(fields(parseJson(json))))
  return Object.fromEntries(entries.map(([name, value]) => [name, text(value) ?? '']))
}
