import { createHash } from 'node:crypto'
import { type AttachmentKeeper, keepAttachments, type RemotePart } from './attachments.js'
import { decodeText } from './charset.js'
import { ConfigurationError, messageOf, UnavailableError } from './errors.js'
import type { InboundHead, InboundMail, MailHeader, ParsedEvent } from './event.js'
import { contentDigest, ownId } from './matching.js'
import { type MailPart, readHead } from './mime.js'

/** How inbound mail is taken. */
export interface InboundOptions {
  /**
   * Where the contents of attachments go, such as `attachmentFolder('/var/mail/attachments')`. Without
   * it they stand in the event, up to 2 MB of a mail; what is larger is left out, and says so.
   */
  attachments?: AttachmentKeeper
}

/**
 * The options that all inbound mail has.
 *
 * @param where what they were given to, for errors
 * @throws ConfigurationError when what is to keep attachments is no function
 */
export function checkedInbound(
  where: string,
  { attachments }: InboundOptions = {},
): InboundOptions {
  if (attachments === undefined) return {}
  if (typeof attachments === 'function') return { attachments }
  throw new ConfigurationError(
    `${where}: attachments must be a function, such as attachmentFolder('/var/mail')`,
  )
}

/** A received mail as a provider tells it. */
export interface ReceivedMail {
  envelope: { from: string; to: string[] }
  headers: readonly MailHeader[]
  /** What the provider says where the headers are silent. */
  head?: Partial<InboundHead>
  text?: string | undefined
  html?: string | undefined
  parts: readonly (MailPart | RemotePart)[]
  stripped?: InboundMail['stripped']
  spam?: InboundMail['spam']
  dkim?: string | undefined
  spf?: string | undefined
  /** What of it could not be read as it should be. */
  problems?: readonly string[]
}

/** What an event has beside its mail. */
export interface InboundOrigin {
  providerEvent: string
  /** When the provider received it, where it says so. */
  occurredAt?: Date | undefined
  /** The provider's id of the message that it answers, where the mail bears one. */
  providerMessageId?: string | undefined
  tags?: string[]
  /** The payload without the contents that the mail carries. */
  raw: unknown
}

// All of a mail goes into one event, and a database takes some 7 MB of one.
const longestText = 500_000
const mostHeaders = 200_000

/**
 * The event of a mail, or where it cannot be read, an `unknown` one with the reason.
 *
 * @param read makes the event
 * @param unread what is told of the mail where that fails
 * @throws UnavailableError for a failure that is not the mail's: it is to come again
 */
export async function eventOrUnknown(
  read: () => Promise<ParsedEvent>,
  unread: () => Pick<ParsedEvent, 'providerEvent' | 'raw' | 'discriminator' | 'occurredAt'>,
): Promise<ParsedEvent> {
  // A package that is missing is noticed with the first mail, and not with the first that is odd.
  await readHead([])
  await decodeText(Buffer.of(0xff))
  try {
    return await read()
  } catch (error) {
    if (error instanceof UnavailableError) throw error
    const reason = `the mail could not be read: ${messageOf(error)}`
    return { type: 'unknown', error: reason, tags: [], metadata: {}, ...unread() }
  }
}

/** An inbound mail as an event; the contents of its attachments are kept before. */
export async function inboundEvent(
  received: ReceivedMail,
  origin: InboundOrigin,
  { attachments: keep }: InboundOptions = {},
): Promise<ParsedEvent> {
  const problems = [...(received.problems ?? [])]
  const bound = (name: string, text: string | undefined): string | undefined => {
    const clean = text === undefined ? undefined : mended(text)
    if (clean === undefined || clean.length <= longestText) return clean
    problems.push(`${name} is longer than ${longestText} characters, and stands without its end`)
    return clean.slice(0, longestText).toWellFormed()
  }
  const head = { ...received.head, ...(await readHead(received.headers)) }
  const kept = await keepAttachments(received.parts, received.html, keep)
  const text = bound('text', received.text)
  const html = bound('html', received.html)
  const headers = boundHeaders(received.headers, problems)
  const stripped = received.stripped && boundEach(received.stripped, bound)
  const { envelope, spam, dkim, spf } = received
  const mail: InboundMail = {
    envelope,
    ...head,
    to: orElse(head.to, received.head?.to),
    cc: orElse(head.cc, received.head?.cc),
    replyTo: orElse(head.replyTo, received.head?.replyTo),
    ...(head.subject !== undefined && { subject: mended(head.subject).slice(0, longestText) }),
    ...(text !== undefined && { text }),
    ...(html !== undefined && { html }),
    ...(stripped && { stripped }),
    ...kept,
    headers,
    ...(spam && { spam }),
    ...(dkim !== undefined && { dkim }),
    ...(spf !== undefined && { spf }),
    problems,
  }
  const { occurredAt, providerMessageId, providerEvent, tags = [], raw } = origin
  const own = envelope.to.map(idInAddress).find((id) => id !== undefined)
  const [recipient] = envelope.to
  return {
    type: 'inbound',
    mail,
    providerEvent,
    tags,
    metadata: {},
    raw,
    ...(occurredAt && { occurredAt }),
    ...(recipient !== undefined && { recipient }),
    ...(mail.messageId !== undefined && { messageId: mail.messageId }),
    ...(providerMessageId !== undefined && { providerMessageId }),
    ...(own !== undefined && { ownId: own }),
    // Anybody can write a Message-ID that another mail has, so the content counts too.
    discriminator: contentDigest([
      envelope,
      head.subject,
      text,
      html,
      received.parts.map(digestOf),
    ]),
  }
}

function boundEach(
  stripped: NonNullable<InboundMail['stripped']>,
  bound: (name: string, text: string | undefined) => string | undefined,
): NonNullable<InboundMail['stripped']> {
  const text = bound('the stripped text', stripped.text)
  const html = bound('the stripped HTML', stripped.html)
  const signature = bound('the stripped signature', stripped.signature)
  return {
    ...(text !== undefined && { text }),
    ...(html !== undefined && { html }),
    ...(signature !== undefined && { signature }),
  }
}

const orElse = <T>(first: T[], second: T[] | undefined): T[] =>
  first.length > 0 ? first : (second ?? [])

function digestOf(part: MailPart | RemotePart): unknown[] {
  const { filename, contentType } = part
  const content =
    'url' in part ? part.size : createHash('sha256').update(part.content).digest('hex')
  return [filename, contentType, content]
}

function boundHeaders(headers: readonly MailHeader[], problems: string[]): MailHeader[] {
  let room = mostHeaders
  const kept = headers.filter(({ name, value }) => (room -= name.length + value.length) >= 0)
  if (kept.length < headers.length) {
    problems.push(`the headers are longer than ${mostHeaders} characters, and some are left out`)
  }
  return kept.map(({ name, value }) => ({ name: mended(name), value: mended(value) }))
}

/** Without control characters, which no mail needs and some databases do not take. */
function mended(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.toWellFormed().replace(/[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/g, '')
}

/** Our id in an address such as `reply+0199…@in.example.com`, where replies to a message were to go. */
function idInAddress(address: string): string | undefined {
  const local = address.slice(0, Math.max(address.lastIndexOf('@'), 0))
  const [id] = /[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}/i.exec(local) ?? []
  return ownId(id)
}
