import type { InboundHead, MailHeader } from '../../event.js'
import type { Form } from '../../form.js'
import type { ReceivedMail } from '../../inbound-mail.js'
import { type MailPart, type MimeMail, readHead, readMime } from '../../mime.js'
import { type Fields, fields, text, texts, wholeNumber } from '../../payload.js'
import { bounded, type InboundFields, isAttachment } from './inbound-fields.js'

/** An inbound mail as SendGrid posts it, taken apart or whole. */
export async function receivedMail(form: Form, given: InboundFields): Promise<ReceivedMail> {
  const mime = await contentsOf(form, given)
  const headers = readable(mime.headers, given)
  const head = await readHead(fieldsAsHeaders(given))
  const envelope = await envelopeOf(given, headers, head)
  return {
    envelope,
    headers,
    head,
    text: mime.text,
    html: mime.html,
    parts: mime.parts,
    ...spamOf(given),
    dkim: given.word('dkim'),
    spf: given.word('SPF'),
    problems: [...given.problems, ...mime.problems],
  }
}

type Contents = Pick<MimeMail, 'headers' | 'parts' | 'problems'> & {
  text: string | undefined
  html: string | undefined
}

async function contentsOf(form: Form, given: InboundFields): Promise<Contents> {
  const attached = partsOf(form, given.json('attachment-info'), given.json('content-ids'))
  if (given.source === undefined) {
    const { headers, problems } = readHeaders(given.text('headers') ?? '')
    const counted = wholeNumber(given.word('attachments')) ?? attached.length
    if (counted !== attached.length) {
      problems.push(`SendGrid counted ${counted} attachments, and ${attached.length} came`)
    }
    const [plain, html] = [given.text('text'), given.text('html')]
    return { headers, text: plain, html, parts: attached, problems }
  }
  const { headers, parts, problems, ...bodies } = await readMime(given.source)
  return {
    headers,
    text: bodies.text ?? given.text('text'),
    html: bodies.html ?? given.text('html'),
    parts: [...parts, ...attached],
    problems,
  }
}

// As much as is read of the head of a MIME source.
const longestHead = 256 * 1024

/** The header block, its folded lines joined. */
function readHeaders(block: string): { headers: MailHeader[]; problems: string[] } {
  const lines = bounded(block, longestHead)
    .replace(/(?:\r?\n|\r)[ \t]+/g, ' ')
    .split(/\r?\n|\r/)
  const headers = lines.flatMap((line): MailHeader[] => {
    const [, name, value] = /^([!-9;-~]+)[ \t]*:(.*)$/.exec(line) ?? []
    return name === undefined || value === undefined ? [] : [{ name, value: value.trim() }]
  })
  const problems =
    block.length > longestHead
      ? [`the headers are longer than ${longestHead} characters, and stand without their end`]
      : []
  return { headers, problems }
}

// What SendGrid posts beside the headers, decoded by the charset of each.
const alsoFields = ['from', 'to', 'cc', 'subject']

function fieldsAsHeaders(given: InboundFields): MailHeader[] {
  return alsoFields.flatMap((name) => {
    const value = given.text(name)
    return value === undefined ? [] : [{ name, value }]
  })
}

/** A header in a charset that is not known or not told is replaced by what SendGrid read in it. */
function readable(headers: readonly MailHeader[], given: InboundFields): MailHeader[] {
  return headers.map((header) => {
    const name = header.name.toLowerCase()
    const field = alsoFields.includes(name) ? given.text(name) : undefined
    return field !== undefined && isUnreadable(header.value, given.hasUtf8Headers)
      ? { name: header.name, value: field }
      : header
  })
}

function isUnreadable(value: string, isUtf8: boolean): boolean {
  // oxlint-disable-next-line no-control-regex
  if (!isUtf8 && /[^\0-\x7f]/.test(value)) return true
  const words = value.matchAll(/=\?([^?*\s]+)(?:\*[^?\s]*)?\?[bq]\?/gi)
  return [...new Set(Array.from(words, ([, charset = '']) => charset.toLowerCase()))].some(
    (charset) => !isDecodable(charset),
  )
}

/** Whether the charset of an encoded word is one that postal-mime decodes: those of the WHATWG. */
function isDecodable(charset: string): boolean {
  try {
    return new TextDecoder(charset).encoding !== ''
  } catch {
    return false
  }
}

/** The SMTP addresses; where they are missing, those that the mail itself names. */
async function envelopeOf(
  given: InboundFields,
  headers: readonly MailHeader[],
  head: InboundHead,
): Promise<ReceivedMail['envelope']> {
  const { from, to } = given.json('envelope')
  const recipients = texts(to).slice(0, mostRecipients).map(bare)
  if (recipients.length > 0) return { from: bare(text(from) ?? ''), to: recipients }
  given.problems.push('the envelope is missing: its addresses are those of the headers')
  const known = await readHead(headers)
  const sender = head.from ?? known.from
  return {
    from: bare(text(from) ?? sender?.address ?? ''),
    to: (head.to.length > 0 ? head.to : known.to).map(({ address }) => address),
  }
}

// More than any server takes, and no more than an event can hold.
const mostRecipients = 1000
const longestAddress = 1000

const bare = (address: string): string =>
  address.trim().replace(/^<|>$/g, '').slice(0, longestAddress)

function spamOf(given: InboundFields): Pick<ReceivedMail, 'spam'> {
  const score = Number(given.word('spam_score') ?? Number.NaN)
  const report = given.word('spam_report')
  const known = Number.isFinite(score)
  if (!known && report === undefined) return {}
  return { spam: { ...(known && { score }), ...(report !== undefined && { report }) } }
}

/** The attachments in the order of their numbers, whatever the order that they came in. */
function partsOf(form: Form, info: Fields, contentIds: Fields): MailPart[] {
  const ids = new Map(Object.entries(contentIds).map(([id, name]) => [text(name), id]))
  const unnamed = form.fields
    .filter(({ name }) => isAttachment(name))
    .map(({ name, value }) => ({ name, filename: '', contentType: '', content: value }))
  return [...form.files, ...unnamed]
    .toSorted((a, b) => numberOf(a.name) - numberOf(b.name))
    .map(({ name, filename, contentType, content }) => {
      const known = fields(info[name])
      const contentId = text(known['content-id']) ?? ids.get(name)
      return {
        // Its file name in the form is in whatever charset it was.
        filename: text(known['filename']) ?? text(known['name']) ?? filename,
        contentType: text(known['type']) ?? contentType,
        ...(contentId !== undefined && { contentId: bare(contentId) }),
        content,
      }
    })
}

function numberOf(name: string): number {
  return Number(/\d+$/.exec(name)?.[0] ?? Infinity)
}
