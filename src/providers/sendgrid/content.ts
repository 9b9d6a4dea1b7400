import { isUtf8 } from 'node:buffer'
import type { Alternative, CalendarEvent } from '../../resolved-mail.js'
import type { OutgoingMail } from '../../provider-client.js'

/** One form of the text of a message. */
export interface Content {
  /** Without parameters, for SendGrid takes no semicolon here. */
  type: string
  value: string
}

// What else there is comes after these, and SendGrid takes each of them once.
const leading = ['text/plain', 'text/html']

/**
 * Every form of the text, in the order that SendGrid insists on. It takes no empty one, and none at all
 * with a template alone.
 *
 * @param lost takes the names of what is not among them
 */
export function toContent(
  mail: OutgoingMail,
  templateId: string | undefined,
  lost: string[],
): Content[] {
  const { text, html, amp, watchHtml, alternatives, calendar } = mail
  const parts = [
    ...part('text/plain', text),
    ...part('text/html', html),
    ...part('text/x-amp-html', amp),
    ...part('text/watch-html', watchHtml),
  ]
  for (const [index, alternative] of alternatives.entries()) {
    parts.push(...alternativePart(alternative, `alternatives[${index}]`, parts, lost))
  }
  if (calendar) parts.push(...calendarPart(calendar, lost))
  if (parts.length === 0 && templateId === undefined) return part('text/plain', ' ')
  return parts.toSorted((one, other) => rank(one) - rank(other))
}

function part(type: string, value: string | undefined): Content[] {
  return value === undefined ? [] : [{ type, value }]
}

function rank({ type }: Content): number {
  const place = leading.indexOf(type)
  return place < 0 ? leading.length : place
}

function alternativePart(
  { contentType, content }: Alternative,
  name: string,
  others: readonly Content[],
  lost: string[],
): Content[] {
  const type = plainType(contentType)
  const twice = leading.includes(type ?? '') && others.some((other) => other.type === type)
  if (type === undefined || twice) lost.push(`${name}.contentType`)
  else if (content.length === 0 || !isUtf8(content)) lost.push(`${name}.content`)
  else return part(type, content.toString())
  return []
}

/** The type in lower case; undefined where it says more than that the text is UTF-8. */
function plainType(contentType: string): string | undefined {
  const utf8 = /^\s*([^\s;/]+\/[^\s;/]+)\s*(?:;\s*(?:charset\s*=\s*("?)utf-?8\2\s*)?)?$/i
  return utf8.exec(contentType)?.[1]?.toLowerCase()
}

/** A type without a method means PUBLISH, so any other is lost unless the event says it too. */
function calendarPart({ method, content }: CalendarEvent, lost: string[]): Content[] {
  const [, own = ''] = /^METHOD:([A-Z-]+)\s*$/im.exec(content.toString()) ?? []
  if (method !== 'PUBLISH' && own.toUpperCase() !== method) lost.push('icalEvent.method')
  if (isUtf8(content)) return part('text/calendar', content.toString())
  lost.push('icalEvent.content')
  return []
}
