import { isUint8Array } from 'node:util/types'
import type { MailHead } from './mail-head.js'
import { invalid } from './mail-options.js'
import type { NodemailerMail } from './nodemailer-mail.js'
import { type Fields, fields, isFields, text } from './payload.js'

/** A file whose content was read. */
export interface Attachment {
  filename: string
  contentType: string
  content: Buffer
  /** The Content-ID, without brackets, of a part that the HTML shows. */
  contentId?: string
  /** It is shown inside the message though no Content-ID asks for it. */
  inline?: true
}

/** Another form of the text. */
export interface Alternative {
  contentType: string
  content: Buffer
}

export interface CalendarEvent extends Alternative {
  /** In capitals, such as `REQUEST`. */
  method: string
  filename: string
}

/** Everything that a message says, read by Nodemailer: plain values from here on. */
export interface MailContent {
  text?: string
  html?: string
  amp?: string
  watchHtml?: string
  alternatives: Alternative[]
  calendar?: CalendarEvent
  attachments: Attachment[]
}

/** A message whose content has been read. */
export interface ResolvedMail extends MailHead, MailContent {}

/** Reads the content, from files, URLs and streams too. The caller's objects stay as they are. */
export async function resolveContent(mail: NodemailerMail): Promise<MailContent> {
  const given = fields(mail.data)
  checkContent(given)
  if (isRead(given)) return { ...contentTexts(given), alternatives: [], attachments: [] }
  // Nodemailer resolves content in place, so it gets copies to do it in.
  mail.data = copyContent({ ...mail.data })
  const content = fields(
    await new Promise((resolve, reject) => {
      mail.normalize((error, data) => (error ? reject(error) : resolve(data)))
    }),
  )
  const { attachments, alternatives, icalEvent } = content
  return {
    ...contentTexts(content),
    alternatives: Array.isArray(alternatives) ? alternatives.map(toAlternative) : [],
    ...(Boolean(icalEvent) && { calendar: toCalendarEvent(icalEvent) }),
    attachments: Array.isArray(attachments) ? attachments.map(toAttachment) : [],
  }
}

/** Texts alone, as most messages are: Nodemailer would give them back as they are, after some work. */
function isRead(data: Fields): boolean {
  return (
    textFields.every((name) => !data[name] || typeof data[name] === 'string') &&
    ['icalEvent', 'alternatives', 'attachments'].every((name) => !data[name])
  )
}

const textFields = ['text', 'html', 'amp', 'watchHtml'] as const

function contentTexts(content: Fields): Pick<MailContent, (typeof textFields)[number]> {
  return Object.fromEntries(
    textFields.map((name) => [name, contentText(content[name])]).filter(([, value]) => value),
  )
}

/** Nodemailer would make nothing at all of other content, and the message would go out without it. */
export function checkContent(data: Fields): void {
  const { attachments } = data
  const named: [string, unknown][] = [
    ...textFields.map((name): [string, unknown] => [name, data[name]]),
    ...(Array.isArray(attachments) ? attachments : []).map(
      (attachment, index): [string, unknown] => [
        `attachments[${index}].content`,
        fields(attachment)['content'],
      ],
    ),
  ]
  const wrong = named.find(([, content]) => !isContent(content))
  if (wrong) {
    throw invalid(
      `${wrong[0]} must be a string, a Buffer, a stream of Node, or an object with path, href or content`,
    )
  }
}

function isContent(value: unknown): boolean {
  if (value === undefined || value === null || value === false) return true
  if (typeof value === 'string' || isUint8Array(value)) return true
  const { path, href, content, raw, pipe } = fields(value)
  return typeof pipe === 'function' || Boolean(path ?? href ?? raw) || content !== undefined
}

/** Where a message may have content: in one field, or in each entry of a list. */
export const contentFields = [...textFields, 'icalEvent']
export const contentLists = ['attachments', 'alternatives']

/** The message with copies of the objects that its content is described by; bytes and streams are shared. */
export function copyContent(data: Fields): Fields {
  const copy = { ...data }
  for (const name of contentFields) {
    if (isDescription(data[name])) copy[name] = { ...data[name] }
  }
  for (const name of contentLists) {
    const given = data[name]
    // Nodemailer takes a single one too.
    const list = isFields(given) ? [given] : given
    if (Array.isArray(list)) {
      copy[name] = list.map((value: unknown) => (isDescription(value) ? { ...value } : value))
    }
  }
  return copy
}

function isDescription(value: unknown): value is Fields {
  return isFields(value) && !Buffer.isBuffer(value) && typeof value['pipe'] !== 'function'
}

function contentText(value: unknown): string {
  if (isUint8Array(value)) return Buffer.from(value).toString()
  return typeof value === 'string' ? value : ''
}

function toAttachment(value: unknown): Attachment {
  const { filename, contentType, content, encoding, cid, contentDisposition } = fields(value)
  const contentId = text(cid)?.replace(/^<|>$/g, '')
  return {
    filename: String(filename),
    contentType: String(contentType),
    content: bytesOf(content, encoding),
    ...(contentId !== undefined && { contentId }),
    ...(contentId === undefined && contentDisposition === 'inline' && { inline: true }),
  }
}

function toAlternative(value: unknown): Alternative {
  const { contentType, content, encoding } = fields(value)
  return {
    contentType: text(contentType) ?? 'text/plain',
    content: bytesOf(content, encoding),
  }
}

function toCalendarEvent(value: unknown): CalendarEvent {
  const { method, filename, content, encoding } = fields(value)
  return {
    contentType: 'text/calendar',
    // The defaults are those of Nodemailer's composer.
    method: (text(method) ?? 'PUBLISH').trim().toUpperCase(),
    filename: text(filename) ?? 'invite.ics',
    content: bytesOf(content, encoding),
  }
}

/** Nodemailer gives bytes in base64; of an attachment that is empty it gives anything. */
function bytesOf(content: unknown, encoding: unknown): Buffer {
  if (isUint8Array(content)) return Buffer.from(content)
  const written = typeof content === 'string' ? content : ''
  return Buffer.from(written, encoding === 'base64' ? 'base64' : 'utf8')
}
