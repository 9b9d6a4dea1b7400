import { isUtf8 } from 'node:buffer'
import type { Email, Mailbox, PostalMimeOptions } from 'postal-mime'
import { decodeText } from './charset.js'
import { UnavailableError } from './errors.js'
import type { InboundHead, MailHeader } from './event.js'
import type { Address } from './message.js'
import { exported, optionalPackage } from './optional-package.js'
import { latestTime } from './payload.js'

// What is used of the package: its types for CommonJS have another form than those for modules.
interface PostalMime {
  default: { parse(source: Buffer, options: PostalMimeOptions): Promise<Email> }
  addressParser(text: string, options: { flatten: boolean }): Pick<Mailbox, 'name' | 'address'>[]
  decodeWords(text: string): string
}

/** What a mail consists of beside its headers and its text. */
export interface MailPart {
  filename?: string
  contentType: string
  /** Bare. */
  contentId?: string
  content: Uint8Array
}

/** A MIME source taken apart. */
export interface MimeMail {
  headers: MailHeader[]
  text?: string
  html?: string
  parts: MailPart[]
  /** What could not be read as it should be. */
  problems: string[]
}

const postalMime = optionalPackage(
  'postal-mime',
  () => import('postal-mime'),
  (module) => {
    const library = {
      default: exported(module, 'default'),
      addressParser: exported(module, 'addressParser'),
      decodeWords: exported(module, 'decodeWords'),
    }
    return isPostalMime(library) ? library : undefined
  },
  (message) => new UnavailableError(`inbound mail cannot be read: ${message}`),
)

function isPostalMime(library: Record<keyof PostalMime, unknown>): library is PostalMime {
  return Object.values(library).every((member) => typeof member === 'function')
}

// postal-mime takes some 10 us for a line that is not encoded, in one go: this is half a second.
const mostLines = 40_000
const largestHead = 256 * 1024

/**
 * Takes a MIME source apart. It never fails because of the source: what cannot be read within bounds
 * becomes an attachment as it came, and `problems` says so.
 */
export async function readMime(source: Buffer): Promise<MimeMail> {
  const { default: Parser } = await postalMime()
  const mended = await mendHead(source)
  const problem = unreadable(mended)
  if (problem !== undefined) return asAttachment(source, problem)
  try {
    const mail = await Parser.parse(mended, {
      attachmentEncoding: 'arraybuffer',
      // A mail in a mail is a file; taking those apart too would have no end.
      forceRfc822Attachments: true,
      maxHeadersSize: largestHead,
    })
    const { text, html } = mail
    return {
      headers: mail.headers.map(({ originalKey, value }) => ({ name: originalKey, value })),
      ...(text !== undefined && { text }),
      ...(html !== undefined && { html }),
      parts: mail.attachments.map(({ filename, mimeType, contentId, content }) => ({
        ...(filename !== null && { filename }),
        contentType: mimeType,
        ...(contentId !== undefined && { contentId: contentId.replace(/^<|>$/g, '') }),
        content: typeof content === 'string' ? Buffer.from(content) : new Uint8Array(content),
      })),
      problems: [],
    }
  } catch {
    return asAttachment(source, 'the MIME source is broken')
  }
}

function asAttachment(source: Buffer, problem: string): MimeMail {
  const whole = { filename: 'message.eml', contentType: 'message/rfc822', content: source }
  return { headers: [], parts: [whole], problems: [`${problem}: it is attached as it came`] }
}

function unreadable(source: Buffer): string | undefined {
  let lines = 0
  for (let start = 0; start < source.length;) {
    const found = source.indexOf(10, start)
    const end = found < 0 ? source.length : found
    // Lines of base64 cost next to nothing: they are long, and have no space.
    const encoded = end - start >= 60 && source.subarray(start, end).indexOf(32) < 0
    if (!encoded) lines += 1
    if (lines > mostLines) return `the MIME source has more than ${mostLines} lines of text`
    start = end + 1
  }
  return undefined
}

/** A head that is no UTF-8 is taken for windows-1252, in which every byte is some character. */
async function mendHead(source: Buffer): Promise<Buffer> {
  const blank = /\r?\n\r?\n/.exec(source.subarray(0, largestHead).toString('latin1'))
  const head = source.subarray(0, blank?.index ?? largestHead)
  if (isUtf8(head)) return source
  const mended = Buffer.from(await decodeText(head))
  return Buffer.concat([mended, source.subarray(head.length)])
}

const mostAddresses = 1000

/** What headers say, whether or not they were decoded before. */
export async function readHead(headers: readonly MailHeader[]): Promise<InboundHead> {
  const { addressParser, decodeWords } = await postalMime()
  const all = (name: string): string[] =>
    headers.flatMap((header) => (header.name.toLowerCase() === name ? header.value : []))
  const first = (name: string): string | undefined => all(name)[0]
  const addresses = (name: string): Address[] =>
    mailboxes(addressParser(all(name).join(', ').slice(0, largestHead), { flatten: true }))
  const [from] = addresses('from')
  const subject = first('subject')
  const date = timeOf(first('date'))
  const messageId = messageIds(first('message-id'))[0]
  const inReplyTo = messageIds(first('in-reply-to'))[0]
  return {
    ...(from && { from }),
    to: addresses('to'),
    cc: addresses('cc'),
    replyTo: addresses('reply-to'),
    ...(subject !== undefined && { subject: decodeWords(subject) }),
    ...(date && { date }),
    ...(messageId !== undefined && { messageId }),
    ...(inReplyTo !== undefined && { inReplyTo }),
    references: messageIds(all('references').join(' ')),
  }
}

/** A comma in a name that was not quoted makes two of it, the first one without an address. */
function mailboxes(parsed: readonly { name: string; address?: string | undefined }[]): Address[] {
  const found: Address[] = []
  let rest: string[] = []
  for (const { name, address } of parsed) {
    if (address === undefined || address === '') rest = name === '' ? [] : [...rest, name]
    else {
      found.push({ name: [...rest, name].filter(Boolean).join(', '), address })
      rest = []
    }
    if (found.length === mostAddresses) break
  }
  return found
}

// The longest line that mail may have.
const longestId = 998

/** Message-IDs with their `<>`; one alone is recognised without. */
function messageIds(value: string | undefined): string[] {
  const bracketed = value?.match(/<[^<>\s]{1,998}>/g) ?? []
  if (bracketed.length > 0) return [...new Set(bracketed)]
  const bare = value?.trim() ?? ''
  return bare !== '' && bare.length <= longestId && /^[^\s<>]+@[^\s<>]+$/.test(bare)
    ? [`<${bare}>`]
    : []
}

function timeOf(value: string | undefined): Date | undefined {
  const at = Date.parse(value ?? '')
  return at >= 0 && at <= latestTime ? new Date(at) : undefined
}
