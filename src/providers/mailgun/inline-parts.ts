import type { OutgoingMail } from '../../provider-client.js'
import { fileOf, type MailgunFile } from './files.js'

// What can stand in a Content-ID and in a link to it as it is, and is no name that is made below.
const safeName = /^(?!inline-\d)[\w.-]+$/

/**
 * Mailgun takes the file name of an inline part for its Content-ID, so it is this name that the
 * HTML must ask for. The given id is no good name: Gmail refuses a mail with a file that is called
 * like a program, as `logo@example.com` is (django-anymail#112).
 */
export function withInlines({ html, amp, attachments }: OutgoingMail): {
  html: string | undefined
  amp: string | undefined
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
    inlines.push({ ...fileOf(attachment), filename: name })
  }
  return {
    html: html && withNewLinks(html, names),
    amp: amp && withNewLinks(amp, names),
    inlines,
  }
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
