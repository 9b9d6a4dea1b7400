import { mergedDeep } from '../../deep-merge.js'
import { messageOf } from '../../errors.js'
import { invalid } from '../../mail-options.js'
import { ownIdKey } from '../../matching.js'
import type { Fields } from '../../payload.js'
import { providerWrites } from '../../mail-head.js'

/** The values of each field, which is repeated for every one. */
export type Form = Record<string, string[]>

/**
 * A form with the fields under the message's `mailgun` merged into it, and every value in its wire form.
 *
 * @throws SendError for a field that is not the caller's to set, or a value that says nothing
 */
export function withOwnFields(form: Fields, own: Fields): Form {
  for (const name of Object.keys(own)) {
    const reason = reasonAgainst(name)
    if (reason !== undefined) throw invalid(`mailgun.${name} cannot be used: ${reason}`)
  }
  const merged = Object.entries(mergedDeep(form, withHeadersNamedAsIn(form, own)))
  return Object.fromEntries(
    merged.map(([name, value]) => {
      const values = valuesOf(name, value)
      if (isHeader(name) && values.some((line) => /[\r\n]/.test(line))) {
        throw invalid(`mailgun.${name} must be one line`)
      }
      return [name, values]
    }),
  )
}

/** The fields that a document says itself, of those that are given; and all others. */
export function partOwnFields(own: Fields): { inDocument: string[]; others: Fields } {
  const inDocument = Object.keys(own).filter(
    (name) => /^(?:h:|(?:subject|text|html|amp-html)$)/i.test(name) && own[name] !== undefined,
  )
  const others = Object.entries(own).filter(([name]) => !inDocument.includes(name))
  return { inDocument, others: Object.fromEntries(others) }
}

// What the message says itself, and what tells us of it later.
const reserved = new Map(
  Object.entries({
    'the message itself says from whom and to whom it goes':
      'from to cc bcc h:from h:to h:cc h:bcc',
    'the message has a field of its own for it': 'h:subject h:message-id attachment inline message',
    'our id is in it, which events are matched by': `v:${ownIdKey} h:x-mailgun-variables`,
    'it makes a message for each recipient of one, which recipientData is for':
      'recipient-variables h:x-mailgun-recipient-variables',
  }).flatMap(([reason, names]) => names.split(' ').map((name) => [name, reason] as const)),
)

function reasonAgainst(name: string): string | undefined {
  const lower = name.toLowerCase()
  const written = lower.startsWith('h:') && providerWrites.test(lower.slice(2))
  return written ? 'Mailgun writes this header' : reserved.get(lower)
}

/** The case of a header's name does not matter, and two of one name would both be sent. */
function withHeadersNamedAsIn(form: Fields, own: Fields): Fields {
  const headers = Object.keys(form).filter((name) => name.startsWith('h:'))
  const known = new Map(headers.map((name) => [name.toLowerCase(), name]))
  return Object.fromEntries(
    Object.entries(own).map(([name, value]) => [known.get(name.toLowerCase()) ?? name, value]),
  )
}

const isHeader = (name: string): boolean => /^(?:h:|subject$)/i.test(name)

/** Always a list, in which the SDK drops nothing. */
function valuesOf(name: string, value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (name === 't:variables' || name.startsWith('v:')) return [jsonOf(name, value)]
  if (typeof value === 'boolean') return [value ? 'yes' : 'no']
  if (typeof value === 'number' && Number.isFinite(value)) return [String(value)]
  if (Array.isArray(value) && value.every((entry) => typeof entry === 'string')) return [...value]
  throw invalid(`mailgun.${name} must be a text, a list of texts, a number, true or false`)
}

function jsonOf(name: string, value: unknown): string {
  const field = name === 't:variables' ? 'templateData (t:variables)' : `mailgun.${name}`
  let json: string | undefined
  try {
    json = JSON.stringify(value ?? undefined)
  } catch (error) {
    throw invalid(`${field} cannot be written as JSON: ${messageOf(error)}`)
  }
  if (json === undefined) throw invalid(`${field} must be something that JSON can say`)
  return json
}
