import { withHeaders } from '../../composed-mail.js'
import type { Header } from '../../mail-head.js'
import { invalid } from '../../mail-options.js'
import { ownIdKey } from '../../matching.js'
import { type Fields, fields } from '../../payload.js'
import type { PortableOptions } from '../../provider-client.js'
import { checkedMetadata, checkedTags } from './limits.js'
import { mergeVars } from './merge-vars.js'
import type { OwnFields } from './own-fields.js'
import { escapeUnicode } from './php-json.js'

/**
 * What Mandrill reads in the head of a document, for the call that takes it has no parameters for it.
 *
 * @param standing the names of the headers that the document has
 * @param lost takes the names of options that no header says
 * @throws SendError for what would stand there twice, or in too long a line
 */
export function optionHeaders(
  mail: PortableOptions,
  own: OwnFields,
  trackingId: string,
  standing: readonly string[],
  lost: string[],
): Header[] {
  const { message } = own
  const taken = new Set(standing.map((name) => name.toLowerCase()))
  const metadata = { ...mail.metadata, ...own.metadata, [ownIdKey]: trackingId }
  const headers = [
    header('X-MC-Metadata', headerJson(checkedMetadata(metadata))),
    ...tagHeader(mail, message, lost),
    ...trackHeader(mail, message, lost),
    ...templateHeader(mail, lost),
    ...varsHeader(mail, message, lost),
    // Without it an account's setting may give each recipient, a bcc too, a mail of its own.
    ...(taken.has('x-mc-preserverecipients') ? [] : [header('X-MC-PreserveRecipients', 'true')]),
    ...ownHeaders(message, lost),
  ]
  const unique = new Map(headers.map((each) => [each.name, each]))
  for (const { name } of unique.values()) {
    if (taken.has(name.toLowerCase())) {
      throw invalid(`the message has the header ${name} itself, beside options that say the same`)
    }
  }
  return [...unique.values()].map(checkedLines)
}

const header = (name: string, value: string): Header => ({ name, value })

const headerNames = new Map([
  ['important', 'X-MC-Important'],
  ['auto_text', 'X-MC-Autotext'],
  ['auto_html', 'X-MC-AutoHtml'],
  ['inline_css', 'X-MC-InlineCSS'],
  ['url_strip_qs', 'X-MC-URLStripQS'],
  ['preserve_recipients', 'X-MC-PreserveRecipients'],
  ['view_content_link', 'X-MC-ViewContentLink'],
  ['bcc_address', 'X-MC-BccAddress'],
  ['tracking_domain', 'X-MC-TrackingDomain'],
  ['signing_domain', 'X-MC-SigningDomain'],
  ['merge_language', 'X-MC-MergeLanguage'],
  ['subaccount', 'X-MC-Subaccount'],
  ['google_analytics_domains', 'X-MC-GoogleAnalytics'],
  ['google_analytics_campaign', 'X-MC-GoogleAnalyticsCampaign'],
])

// They have a header that says the portable option too, or a parameter of the call.
const saidElsewhere = new Set([
  'tags',
  'track_opens',
  'track_clicks',
  'global_merge_vars',
  'return_path_domain',
])

function ownHeaders(message: Fields, lost: string[]): Header[] {
  return Object.entries(message).flatMap(([option, given]) => {
    if (given === undefined || given === null || saidElsewhere.has(option)) return []
    const name = headerNames.get(option)
    const value = headerText(given)
    if (name !== undefined && value !== undefined) return [header(name, value)]
    lost.push(`mandrill.message.${option}`)
    return []
  })
}

function headerText(value: unknown): string | undefined {
  if (typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return isWritable(value) ? value : undefined
  return Array.isArray(value) && value.length > 0 && value.every(isListable)
    ? value.join(',')
    : undefined
}

/** Mandrill tells of no other form for what is no plain ASCII. */
function isWritable(value: string): boolean {
  return /^[!-~](?:[ -~]*[!-~])?$/.test(value) && !value.includes('=?')
}

function isListable(value: unknown): value is string {
  return typeof value === 'string' && isWritable(value) && !value.includes(',')
}

function tagHeader({ tags }: PortableOptions, own: Fields, lost: string[]): Header[] {
  const given = own['tags'] ?? tags
  if (!Array.isArray(given) || !given.every((tag) => typeof tag === 'string')) {
    lost.push('mandrill.message.tags')
    return []
  }
  const written = checkedTags(given).filter((tag) => {
    const listable = isListable(tag)
    if (!listable) lost.push(`the tag ${JSON.stringify(tag)}`)
    return listable
  })
  return written.length > 0 ? [header('X-MC-Tags', written.join(','))] : []
}

/** It says both at once, and what it does not name is off: of one alone it would decide the other. */
function trackHeader(mail: PortableOptions, own: Fields, lost: string[]): Header[] {
  const opens = flagOf('trackOpens', mail.trackOpens, 'track_opens', own)
  const clicks = flagOf('trackClicks', mail.trackClicks, 'track_clicks', own)
  if (!opens || !clicks) {
    if (opens) lost.push(`${opens.name} without trackClicks`)
    if (clicks) lost.push(`${clicks.name} without trackOpens`)
    return []
  }
  const words = [...(opens.on ? ['opens'] : []), ...(clicks.on ? ['clicks_all'] : [])]
  // `none` is in no document of Mandrill's, but in use for this; an empty value may say nothing at all.
  return [header('X-MC-Track', words.join(',') || 'none')]
}

function flagOf(
  portable: string,
  value: boolean | undefined,
  option: string,
  own: Fields,
): { name: string; on: boolean } | undefined {
  const { [option]: given } = own
  if (typeof given === 'boolean') return { name: `mandrill.message.${option}`, on: given }
  return value === undefined ? undefined : { name: portable, on: value }
}

function templateHeader({ templateId }: PortableOptions, lost: string[]): Header[] {
  if (templateId === undefined) return []
  // What follows a bar would be the region that the content goes to.
  if (isWritable(templateId) && !templateId.includes('|')) {
    return [header('X-MC-Template', templateId)]
  }
  lost.push('templateId')
  return []
}

function varsHeader(mail: PortableOptions, own: Fields, lost: string[]): Header[] {
  const { merge_language: language, global_merge_vars: given } = own
  const vars =
    given === undefined || given === null
      ? mergeVars('templateData', mail.templateData, language)
      : namedVars(given)
  if (!vars) lost.push('mandrill.message.global_merge_vars')
  if (!vars || vars.length === 0) return []
  const byName = Object.fromEntries(vars.map(({ name, content }) => [name, content]))
  return [header('X-MC-MergeVars', headerJson(byName))]
}

/** Undefined for what is no list of variables; `_rcpt` would make it one recipient's. */
function namedVars(given: unknown): { name: string; content: unknown }[] | undefined {
  if (!Array.isArray(given)) return undefined
  const vars = given.flatMap((entry: unknown) => {
    const { name, content } = fields(entry)
    return typeof name === 'string' && !name.startsWith('_') ? [{ name, content }] : []
  })
  return vars.length === given.length ? vars : undefined
}

/** In ASCII, with a space wherever a line can be folded, and with nothing that may be decoded. */
function headerJson(value: unknown): string {
  const spaced = JSON.stringify(value, undefined, 1).replace(/\n */g, ' ')
  return escapeUnicode(spaced).replaceAll('=?', '=\\u003f').replaceAll('\u007f', '\\u007f')
}

// RFC 5322, without the line end.
const longestLine = 998

function checkedLines(given: Header): Header {
  const lines = withHeaders(Buffer.alloc(0), [given]).toString().split('\r\n')
  const longest = Math.max(...lines.map((line) => line.length))
  if (longest > longestLine) {
    throw invalid(
      `the header ${given.name} would have a line of ${longest} bytes, and mail takes ${longestLine}: what it holds is too long without a space`,
    )
  }
  return given
}
