import type { InboundMail, MailHeader, ParsedEvent } from '../../event.js'
import type { Form } from '../../form.js'
import {
  eventOrUnknown,
  inboundEvent,
  type InboundOptions,
  type ReceivedMail,
} from '../../inbound-mail.js'
import { type MailPart, readHead, readMime } from '../../mime.js'
import { text, time } from '../../payload.js'
import type { PostedField } from './event-data.js'
import { isMailguns, postedParts, storedParts } from './inbound-attachments.js'
import { formDigest, type PostedFields, rawFields, signatureFields } from './posted-form.js'
import { type PostedMail, sourceIn } from './posted-mail.js'

/**
 * The fields of a route's post, without the contents that `mail` carries. Each is cut at 10,000
 * characters, and is a list where a header of the mail has its name too.
 */
export interface MailgunInboundMail {
  recipient?: PostedField
  sender?: PostedField
  from?: PostedField
  subject?: PostedField
  /** Unix time in whole seconds, as text. */
  timestamp?: PostedField
  'attachment-count'?: PostedField
  /** JSON: by its `cid`, which attachment it is. */
  'content-id-map'?: PostedField
  /** Of `store()`: the domain of the route. */
  domain?: PostedField
  /** Of `store()`: JSON, the attachments that Mailgun keeps. */
  attachments?: PostedField
  /** Of `store()`: where the whole mail can be had for some days. */
  'message-url'?: PostedField
}

declare module '../../event.js' {
  interface RawInboundMails {
    mailgun: MailgunInboundMail
  }
}

/**
 * A mail of a route: `forward()`, parsed or as MIME, or `store(notify=…)`.
 *
 * @param timestamp the one that is signed
 */
export async function readInboundMail(
  form: Form,
  mail: PostedMail,
  timestamp: string,
  options: InboundOptions,
): Promise<ParsedEvent> {
  const isStored = [...mail.own('message-url'), ...mail.own('attachments')].length > 0
  const providerEvent = isStored ? 'stored' : 'inbound'
  const raw = rawFields(mail.posted, (name) => isInMail(name) || isForeign(name, mail), rawBounds)
  return eventOrUnknown(
    async () => {
      const received = await receivedMail(form, mail)
      return inboundEvent(received, { providerEvent, occurredAt: time(timestamp), raw }, options)
    },
    () => {
      const { timestamp: _signedAt, ...unsigned } = raw
      // By this and its contents it is known again, though another post of it may be signed anew.
      return { providerEvent, raw: unsigned, discriminator: formDigest(form, signatureFields) }
    },
  )
}

const rawBounds = { value: 10_000, whole: 200_000 }

const isInMail = (name: string): boolean => /^(?:body-|stripped-)|^message-headers$/.test(name)

/** An address that is to be fetched with the API key, and is none of Mailgun's. */
function isForeign(name: string, { posted }: PostedMail): boolean {
  return name === 'message-url' && !posted.get(name)?.every(isMailguns)
}

async function receivedMail(form: Form, mail: PostedMail): Promise<ReceivedMail> {
  const to = addresses(mail.value('recipient'))
  if (to.length === 0) throw new Error('it has no recipient')
  const envelope = { from: addresses(mail.value('sender'))[0] ?? '', to }
  const contents = await contentsOf(form, mail)
  const { headers } = contents
  return {
    ...contents,
    envelope,
    head: await readHead(
      ['from', 'subject'].flatMap((name) => {
        const value = text(mail.value(name))
        return value === undefined ? [] : { name, value }
      }),
    ),
    ...resultsIn(headers),
  }
}

// Mailgun takes a thousand recipients in one message.
const mostRecipients = 1000

/** The bare addresses of a list. */
function addresses(list: string | undefined): string[] {
  const parts = list?.match(/(?:"(?:\\.|[^"\\])*"|[^,"])+/g) ?? []
  return parts
    .slice(0, mostRecipients)
    .flatMap((part) => text(/<([^<>]*)>\s*$/.exec(part)?.[1] ?? part)?.trim() ?? [])
}

type Contents = Pick<
  ReceivedMail,
  'headers' | 'text' | 'html' | 'stripped' | 'parts' | 'problems'
> & { headers: MailHeader[] }

async function contentsOf(form: Form, mail: PostedMail): Promise<Contents> {
  const source = sourceIn(form, mail)
  if (source) return readMime(source)
  const contentIds = mail.value('content-id-map')
  const stored = storedParts(mail.own('attachments')[0], contentIds)
  const { headers = headersAmong(mail.posted) } = mail
  return {
    headers,
    text: joined(mail.own('body-plain')),
    html: joined(mail.own('body-html')),
    ...strippedOf(mail),
    parts: [...otherBodies(mail), ...postedParts(form.files, contentIds), ...stored.parts],
    problems: [...(mail.headers ? [] : ['message-headers could not be read']), ...stored.problems],
  }
}

/** Every header is posted as a field of its own, too; beside Mailgun's, which are in lower case. */
function headersAmong(posted: PostedFields): MailHeader[] {
  return [...posted].flatMap(([name, values]) =>
    /^[A-Z]/.test(name) ? values.map((value) => ({ name, value })) : [],
  )
}

/** A mail may have several parts of one type, and then has its field as often. */
function joined(bodies: readonly string[]): string | undefined {
  return text(bodies.join('\n'))
}

function strippedOf(mail: PostedMail): Pick<ReceivedMail, 'stripped'> {
  const [plain, html, signature] = ['text', 'html', 'signature'].map((name) =>
    joined(mail.own(`stripped-${name}`)),
  )
  const stripped = {
    ...(plain !== undefined && { text: plain }),
    ...(html !== undefined && { html }),
    ...(signature !== undefined && { signature }),
  }
  return Object.keys(stripped).length > 0 ? { stripped } : {}
}

const bodyField = /^body-(?!plain$|html$)(.+)$/

/** Texts of other types, such as `body-calendar`. */
function otherBodies(mail: PostedMail): MailPart[] {
  return [...mail.posted.keys()].flatMap((name) => {
    const [, subtype] = bodyField.exec(name) ?? []
    if (subtype === undefined) return []
    return mail.own(name).map((body) => ({
      contentType: `text/${subtype}`,
      content: Buffer.from(body),
    }))
  })
}

/**
 * What Mailgun has found out about a mail it writes on top of its headers, before `X-Mailgun-Incoming`.
 * What stands below is what the sender has written, and it may claim anything.
 */
function resultsIn(headers: readonly MailHeader[]): Pick<ReceivedMail, 'spam' | 'dkim' | 'spf'> {
  const named = headers.map(({ name, value }) => [name.toLowerCase(), value] as const)
  const end = named.findIndex(([name]) => name === 'x-mailgun-incoming')
  const onTop = end < 0 ? named : named.slice(0, end)
  const result = (wanted: string): string | undefined =>
    text(onTop.find(([name]) => name === wanted)?.[1])
      ?.trim()
      .slice(0, longestResult)
  const flagged = result('x-mailgun-sflag')?.toLowerCase()
  const score = Number(result('x-mailgun-sscore') ?? NaN)
  const report = result('x-mailgun-spam-rules')
  const spam: NonNullable<InboundMail['spam']> = {
    ...(Number.isFinite(score) && { score }),
    ...((flagged === 'yes' || flagged === 'no') && { flagged: flagged === 'yes' }),
    ...(report !== undefined && { report }),
  }
  return {
    ...(Object.keys(spam).length > 0 && { spam }),
    dkim: result('x-mailgun-dkim-check-result'),
    spf: result('x-mailgun-spf'),
  }
}

const longestResult = 10_000
