import type { EventEmitter } from 'node:events'
import { fields, isFields } from './payload.js'

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
  return isFields(value) && typeof value['getHeader'] === 'function'
}
