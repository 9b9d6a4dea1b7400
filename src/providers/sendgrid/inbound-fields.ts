import { isUtf8 } from 'node:buffer'
import { decodeText } from '../../charset.js'
import type { Form } from '../../form.js'
import { type Fields, fields, parseJson, text } from '../../payload.js'

/** What SendGrid posts of an inbound mail beside its contents: all texts, cut at 10,000 characters. */
export interface SendgridInboundMail {
  to?: string
  from?: string
  cc?: string
  subject?: string
  /** As JSON. */
  envelope?: string
  dkim?: string
  SPF?: string
  sender_ip?: string
  spam_score?: string
  spam_report?: string
  /** The charset of each field, as JSON. */
  charsets?: string
  /** How many there are. */
  attachments?: string
  /** As JSON. */
  'attachment-info'?: string
  /** As JSON. */
  'content-ids'?: string
  [field: string]: string | undefined
}

declare module '../../event.js' {
  interface RawInboundMails {
    sendgrid: SendgridInboundMail
  }
}

/** The fields of an Inbound Parse form as texts. */
export interface InboundFields {
  text(name: string): string | undefined
  /** A field that is short unless somebody has forged it: cut at 10,000 characters, undefined when blank. */
  word(name: string): string | undefined
  /** A field in JSON; empty where it is missing or cannot be read. */
  json(name: string): Fields
  /** The whole mail as it came, where it is posted so. */
  source: Buffer | undefined
  /** Whether the headers are what they are said to be, UTF-8. */
  hasUtf8Headers: boolean
  raw: SendgridInboundMail
  problems: string[]
}

// One of them is in every inbound mail, parsed or not.
const telling = ['headers', 'email', 'rawEmail', 'envelope', 'from']

/** Whether it can be an inbound mail at all. */
export function isInboundForm(form: Form): boolean {
  return form.fields.some(({ name }) => telling.includes(name))
}

/** Whether a part is an attachment, for whose content it needs no file name. */
export const isAttachment = (name: string): boolean => /^attachment\d+$/.test(name)

/** Each field is in a charset of its own, which the field `charsets` tells. */
export async function readFields(form: Form): Promise<InboundFields> {
  const problems: string[] = []
  const bytes = new Map<string, Buffer>()
  for (const { name, value } of form.fields) {
    if (isAttachment(name)) continue
    // SendGrid's boundary is always the same, so a mail may have parts of its own making in it.
    if (bytes.has(name)) problems.push(`the field ${quoted(name)} came again: the first is taken`)
    else bytes.set(name, value)
  }
  const json = (value: string | undefined, name: string): Fields => {
    if (value === undefined) return {}
    const parsed = parsedJson(value)
    if (!parsed) problems.push(`the field ${quoted(name)} is no JSON object`)
    return parsed ?? {}
  }
  const charsets = json(bytes.get('charsets')?.toString('utf8'), 'charsets')
  // Captures and the documents have `email`, the Node helper looks for `rawEmail`.
  const source = [bytes.get('email'), bytes.get('rawEmail')].find((value) => value?.length)
  const texts = new Map<string, string>()
  for (const [name, value] of bytes) {
    // A source says itself what charsets it is in.
    if (value === source) continue
    texts.set(name, await decodeText(value, charsetOf(name, value, charsets)))
  }
  return {
    text: (name) => texts.get(name),
    word: (name) => text(bounded(texts.get(name)?.trim() ?? '', longestWord)),
    json: (name) => json(texts.get(name), name),
    source,
    hasUtf8Headers: isUtf8(bytes.get('headers') ?? Buffer.alloc(0)),
    raw: rawOf(texts),
    problems,
  }
}

const quoted = (name: string): string => JSON.stringify(name.slice(0, 40))

function parsedJson(value: string): Fields | undefined {
  const parsed = parseJson(value)
  return typeof parsed === 'object' && parsed !== null ? fields(parsed) : undefined
}

function charsetOf(name: string, value: Buffer, charsets: Fields): string | undefined {
  // It is JSON, which is UTF-8, but for the names in it.
  if (name === 'attachment-info') return isUtf8(value) ? undefined : text(charsets['filename'])
  return text(charsets[name])
}

// What the mail carries.
const contents = new Set(['headers', 'text', 'html', 'email', 'rawEmail'])
const longestWord = 10_000
const mostRaw = 100

function rawOf(texts: ReadonlyMap<string, string>): SendgridInboundMail {
  const kept = [...texts].filter(([name]) => !contents.has(name) && name !== '__proto__')
  return Object.fromEntries(
    kept.slice(0, mostRaw).map(([name, value]) => [name, bounded(value, longestWord)]),
  )
}

/** A text without its end, where it is longer. */
export function bounded(value: string, longest: number): string {
  return value.length > longest ? value.slice(0, longest).toWellFormed() : value
}
