import { isUtf8 } from 'node:buffer'
import { invalid } from '../../mail-options.js'
import { ownIdKey, rfcMessageId } from '../../matching.js'
import { formatMailbox } from '../../message.js'
import type { Fields } from '../../payload.js'
import { headersByName } from '../../mail-head.js'
import type { Attachment } from '../../resolved-mail.js'
import type { OutgoingMail } from '../../provider-client.js'
import { withOwnFields } from './own-fields.js'

/** The form of `POST /v3/{domain}/messages`. */
export interface MailgunRequest {
  /** The values of each field, which is repeated for every one: the SDK drops an empty lone text. */
  fields: Record<string, string[]>
  attachments: MailgunFile[]
  inlines: MailgunFile[]
}

export interface MailgunFile {
  filename: string
  contentType: string
  content: Buffer
}

// The manual tells of 3 tags, and the newer help pages and mailgun-go of 10.
const limits = {
  recipients: 1000,
  tags: 10,
  variablesBytes: 4096,
  optionsBytes: 16 * 1024,
  daysAhead: 7,
}

/** The fields of a message that go to Mailgun beyond those that each provider carries. */
export const carries: ReadonlySet<string> = new Set([
  'templateId',
  'templateData',
  'sendAt',
  'trackOpens',
  'trackClicks',
  'mailgun',
])

export function buildRequest(
  mail: OutgoingMail,
  trackingId: string,
  now: number,
): { request: MailgunRequest; lost: string[] } {
  const lost: string[] = []
  if (mail.from.length === 0) throw invalid('Mailgun needs a from address')
  if (mail.to.length === 0) throw invalid('Mailgun needs at least one recipient in to')
  checkSenders(mail)
  checkRecipients(mail)
  const { html, inlines } = withInlines(mail)
  const { subject, text } = mail
  const fields = withOwnFields(
    {
      from: mail.from.map(formatMailbox),
      to: mail.to.map(formatMailbox),
      cc: mail.cc.map(formatMailbox),
      bcc: mail.bcc.map(formatMailbox),
      ...(subject && { subject }),
      ...(text !== undefined && { text }),
      ...(html !== undefined && { html }),
      ...templateFields(mail, lost),
      ...prefixed('h:', headersByName(mail.headers, lost)),
      ...(mail.replyTo.length > 0 && {
        'h:Reply-To': mail.replyTo.map(formatMailbox).join(', '),
      }),
      ...messageId(mail, lost),
      'o:tag': mail.tags,
      ...deliveryFields(mail, now),
      ...prefixed('v:', { ...mail.metadata, [ownIdKey]: trackingId }),
    },
    mail.own,
  )
  checkContent(fields)
  checkTags(fields['o:tag'] ?? [])
  checkOptions(fields, lost)
  return {
    lost,
    request: {
      fields: hasContent(fields) ? fields : { ...fields, text: [' '] },
      attachments: mail.attachments.filter(({ contentId }) => contentId === undefined).map(file),
      inlines,
    },
  }
}

type Form = MailgunRequest['fields']

function templateFields({ templateId, templateData, own }: OutgoingMail, lost: string[]): Fields {
  const template = 'template' in own ? own['template'] : templateId
  const filled = Object.keys(templateData).length > 0
  if (filled && template === undefined) lost.push('templateData without templateId')
  return {
    ...(templateId !== undefined && { template: templateId }),
    ...(filled && template !== undefined && { 't:variables': templateData }),
  }
}

function deliveryFields({ sendAt, trackOpens, trackClicks }: OutgoingMail, now: number): Fields {
  if (sendAt && sendAt.getTime() > now + limits.daysAhead * 24 * 3600_000) {
    const time = sendAt.toISOString()
    throw invalid(`Mailgun takes a sendAt of up to ${limits.daysAhead} days ahead, and not ${time}`)
  }
  return {
    ...(sendAt && { 'o:deliverytime': sendAt.toUTCString().replace('GMT', '+0000') }),
    ...(trackOpens !== undefined && { 'o:tracking-opens': trackOpens }),
    ...(trackClicks !== undefined && { 'o:tracking-clicks': trackClicks }),
  }
}

const isGiven = (form: Form, name: string): boolean =>
  form[name]?.some((value) => value !== '') ?? false

/** A template may bring the subject and the content, and must be the only one to bring HTML. */
function checkContent(form: Form): void {
  const templated = isGiven(form, 'template')
  if (!templated && !isGiven(form, 'subject')) throw invalid('Mailgun needs a subject')
  if (templated && isGiven(form, 'html')) {
    throw invalid('Mailgun takes html or a template (templateId), and not both')
  }
}

/** Whether there is any; Mailgun refuses a mail without. */
function hasContent(form: Form): boolean {
  return ['text', 'html', 'amp-html', 'template'].some((name) => isGiven(form, name))
}

function checkOptions(form: Form, lost: string[]): void {
  const options = Object.entries(form).filter(([name]) => /^[ohtv]:/i.test(name))
  const size = options
    .flatMap(([name, values]) => values.map((value) => name + value))
    .reduce((sum, option) => sum + Buffer.byteLength(option), 0)
  if (size > limits.optionsBytes) {
    throw invalid(
      `Mailgun takes ${limits.optionsBytes} bytes of options, headers, metadata and template data ` +
        `(o:, h:, v: and t:) together, and these are ${size}`,
    )
  }
  const variables = options.flatMap(([name, [value]]) =>
    name.startsWith('v:') ? [[name.slice(2), value]] : [],
  )
  // Mailgun takes more, but its events then say that there is too much, in place of all of it.
  const json = JSON.stringify(Object.fromEntries(variables))
  if (Buffer.byteLength(json) > limits.variablesBytes) {
    lost.push(`metadata of over ${limits.variablesBytes} bytes as JSON, with our id, in its events`)
  }
}

function checkSenders({ from }: OutgoingMail): void {
  // Mailgun makes an invalid From of these, which is not delivered (django-anymail's Mailgun page).
  if (from.some(({ address }) => /[\u0080-\uffff].*@/.test(address))) {
    throw invalid('Mailgun takes no from address with other than ASCII before its @')
  }
}

function checkRecipients({ to, cc, bcc }: OutgoingMail): void {
  const count = to.length + cc.length + bcc.length
  if (count > limits.recipients) {
    throw invalid(`Mailgun takes ${limits.recipients} recipients at once, and these are ${count}`)
  }
}

/** Mailgun puts an id of its own in the place of one that is not `left@right` (mailgun.js#394). */
function messageId(mail: OutgoingMail, lost: string[]): Fields {
  const id = rfcMessageId(mail.messageId)
  if (id !== undefined && /^<[^<>@\s]+@[^<>@\s]+>$/.test(id)) return { 'h:Message-Id': id }
  lost.push('a messageId that is not of the form <left@right>')
  return {}
}

function checkTags(tags: string[]): void {
  if (tags.length > limits.tags) {
    throw invalid(`Mailgun takes ${limits.tags} tags, and these are ${tags.length}`)
  }
  for (const tag of tags) {
    if (!/^[ -~]{1,128}$/.test(tag)) {
      throw invalid(`Mailgun takes tags of 1 to 128 ASCII characters: ${JSON.stringify(tag)}`)
    }
  }
}

function prefixed(prefix: string, values: Record<string, string>): Fields {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [prefix + name, value]))
}

function file({ filename, contentType, content }: Attachment): MailgunFile {
  // Without a charset readers of the mail may take it for ASCII.
  const needsCharset = /^text\/(?!.*charset=)/i.test(contentType) && isUtf8(content)
  return {
    filename,
    contentType: needsCharset ? `${contentType}; charset=utf-8` : contentType,
    content,
  }
}

// What can stand in a Content-ID and in a link to it as it is, and is no name that is made below.
const safeName = /^(?!inline-\d)[\w.-]+$/

/**
 * Mailgun takes the file name of an inline part for its Content-ID, so it is this name that the
 * HTML must ask for. The given id is no good name: Gmail refuses a mail with a file that is called
 * like a program, as `logo@example.com` is (django-anymail#112).
 */
function withInlines({ html, attachments }: OutgoingMail): {
  html: string | undefined
  inlines: MailgunFile[]
} {
  const names = new Map<string, string>()
  const inlines: MailgunFile[] = []
  for (const attachment of attachments) {
    const { contentId, filename } = attachment
    if (contentId === undefined) continue
    const taken = inlines.some((inline) => inline.filename === filename)
    const extension = /\.\w+$/.exec(filename)?.[0] ?? ''
    const name =
      safeName.test(filename) && !taken ? filename : `inline-${inlines.length + 1}${extension}`
    if (!names.has(contentId)) names.set(contentId, name)
    inlines.push({ ...file(attachment), filename: name })
  }
  return { html: html && withNewLinks(html, names), inlines }
}

/** The HTML with the new names in its links; `cid:` in the text between them stays as it is. */
function withNewLinks(html: string, names: ReadonlyMap<string, string>): string {
  if (names.size === 0) return html
  // The longest first, or the beginning of an id would be taken for another one.
  const ids = [...names.keys()]
    .flatMap((id) => [id, encodeURI(id.toWellFormed())])
    .toSorted((a, b) => b.length - a.length)
    .map(escaped)
  const link = new RegExp(`(${opening})cid:(${[...ids, plainId].join('|')})(?=${closing})`, 'gi')
  return html.replace(link, (whole, before: string, written: string) => {
    const name = names.get(written) ?? names.get(decoded(written))
    return name === undefined ? whole : `${before}cid:${name}`
  })
}

// What stands before and after a link in an attribute, a list of images or a style.
const quote = `["']|&quot;|&apos;|&#(?:34|39|x22|x27);`
const opening = `(?:${quote}|[=(,])\\s*`
const closing = `\\s*(?:${quote}|[\\s>),]|$)`

// An id that nothing of this stands in; others are found only as they were given.
const plainId = `[^\\s"'<>(),&]+(?:&amp;[^\\s"'<>(),&]+)*`

/** A Content-ID as HTML and RFC 2392 have it in a link: escaped, and percent-encoded. */
function decoded(written: string): string {
  const id = written.replaceAll('&amp;', '&')
  try {
    return decodeURIComponent(id)
  } catch {
    return id
  }
}

function escaped(literal: string): string {
  return literal.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&')
}
