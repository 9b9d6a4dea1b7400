import type { EventEmitter } from 'node:events'
import { hasMethods } from './has-methods.js'
import { fields } from './payload.js'

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
  /** The nodes right below this one. */
  readonly childNodes?: unknown
  /** The mailboxes of its headers, by the header's name. */
  getAddresses(): object
  /** Who it goes from and to, as SMTP would see it. */
  getEnvelope(): { from: string | false; to: string[] }
  /** Its Message-ID, which is made where there is none. */
  messageId(): unknown
  /** The value of a header, by its name in any case. */
  getHeader(name: string): unknown
  /** Replaces a header. */
  setHeader(name: string, value: unknown): unknown
  /** Takes a document in place of what it would write. */
  setRaw(document: Buffer): unknown
  /** A header's value as it goes on the wire. */
  encodeHeaderValue(name: string, value: string): string
  /** All headers as they go on the wire. */
  buildHeaders(): string
  /** Reads all content, signs it where that was asked for, and writes the whole document. */
  build(callback: (error: Error | null, document?: unknown) => void): void
}

/**
 * Whether a plugin has a hand in the bytes of the document, and not only in its head and its fields. No
 * public method tells it; the names are the same from version 6.9 to 10.
 */
export function changesDocument({ data, message }: NodemailerMail): boolean {
  const count = (name: string): number => {
    const list: unknown = Reflect.get(message, name)
    return Array.isArray(list) ? list.length : 0
  }
  const signing = fields(data)['dkim'] ? 1 : 0
  return count('_transforms') > 0 || count('_processFuncs') > signing
}

/** One node of the MIME tree. */
export type MimeTree = Pick<NodemailerNode, 'childNodes' | 'getHeader'>

/** All nodes of the tree, each before those below it. */
export function nodesOf(tree: MimeTree): MimeTree[] {
  const below: unknown[] = Array.isArray(tree.childNodes) ? tree.childNodes : []
  return [tree, ...below.filter(isTree).flatMap(nodesOf)]
}

function isTree(value: unknown): value is MimeTree {
  return hasMethods(value, 'getHeader')
}

/** The names of headers in whatever form a message has been given them. */
export function givenHeaderNames(headers: unknown): string[] {
  if (Array.isArray(headers)) return headers.map((header) => String(fields(header)['key']))
  return Object.keys(fields(headers))
}
