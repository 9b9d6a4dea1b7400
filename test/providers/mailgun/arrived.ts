import PostalMime, { addressParser, type Address, type Attachment, type Email } from 'postal-mime'
import { headOf } from '../../../src/composed-mail.js'
import { readHeaders } from '../../../src/mail-head.js'
import type { ApiRequest } from '../../../src/testing/index.js'

export interface ArrivedFile {
  field: string
  name: string
  type: string
  content: Buffer
}

/** A call of the Messages API, taken apart from its bytes. */
export interface Arrived {
  path: string
  /** The values of every field, in order. */
  fields: Record<string, string[]>
  files: ArrivedFile[]
}

export async function arrived({ path, headers, body }: ApiRequest): Promise<Arrived> {
  const type = headers['content-type'] ?? ''
  const form = await new Response(body, { headers: { 'content-type': type } }).formData()
  const names = [...new Set(form.keys())]
  const files = [...form].flatMap(([field, value]) =>
    typeof value === 'string' ? [] : [{ field, value }],
  )
  return {
    path,
    fields: Object.fromEntries(
      names.flatMap((name) => {
        const values = form.getAll(name).filter((value) => typeof value === 'string')
        return values.length > 0 ? [[name, values]] : []
      }),
    ),
    files: await Promise.all(
      files.map(async ({ field, value }) => ({
        field,
        name: value.name,
        type: value.type,
        content: Buffer.from(await value.arrayBuffer()),
      })),
    ),
  }
}

/** The document of a call that has one; undefined of any other. */
export function documentOf({ path, files }: Arrived): Buffer | undefined {
  const [document, ...others] = files.filter(({ field }) => field === 'message')
  if (path.endsWith('/messages.mime') !== (document !== undefined) || others.length > 0) {
    throw new Error('a document belongs to messages.mime, and one alone')
  }
  return document?.content
}

/** A document taken apart; files keep their bytes. */
export function readDocument(document: string | Buffer): Promise<Email> {
  return PostalMime.parse(document, { attachmentEncoding: 'arraybuffer' })
}

/** The values of a header as they stand in the head of a document, unfolded. */
export function headerValues(document: string, wanted: string): string[] {
  return readHeaders(headOf(Buffer.from(document)))
    .filter(({ name }) => name.toLowerCase() === wanted.toLowerCase())
    .map(({ value }) => value)
}

/** The mailboxes of a header of a document, decoded. */
export function mailboxesIn(document: string, header: string): Address[] {
  return headerValues(document, header).flatMap((value) => addressParser(value))
}

export function bytesOf({ content }: Attachment): Buffer {
  return typeof content === 'string' ? Buffer.from(content) : Buffer.from(new Uint8Array(content))
}
