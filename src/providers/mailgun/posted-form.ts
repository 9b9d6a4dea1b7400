import { createHash } from 'node:crypto'
import { decodeText } from '../../charset.js'
import type { Form } from '../../form.js'
import { parseJson } from '../../payload.js'

/**
 * The fields of a form by their names, each with all its values in their order: Mailgun puts the
 * variables of a message, or the headers of a mail, beside its own under whatever names they have.
 */
export type PostedFields = ReadonlyMap<string, readonly string[]>

/** Whose value is a whole MIME source: bytes, which are not decoded as one text. */
export const mimeField = 'body-mime'

export async function postedFields(form: Form): Promise<PostedFields> {
  const posted = new Map<string, string[]>()
  for (const { name, value } of form.fields) {
    if (name === mimeField) continue
    const decoded = await decodeText(value, 'utf-8')
    const known = posted.get(name)
    if (known) known.push(decoded)
    else posted.set(name, [decoded])
  }
  return posted
}

/** The values of one field, in their order. */
export function valuesOf(form: Form, name: string): string[] {
  return form.fields.flatMap((field) => (field.name === name ? field.value.toString('utf8') : []))
}

/** What proves that Mailgun has posted a form, and says nothing of what happened. */
export const signatureFields: ReadonlySet<string> = new Set([
  'timestamp',
  'token',
  'signature',
  'parent-signature',
])

/**
 * The SHA-256 of what a form holds: the same whatever boundary and encoding it came with, and whatever
 * the order of fields of different names.
 */
export function formDigest(form: Form, leftOut: ReadonlySet<string> = new Set()): string {
  const hash = createHash('sha256')
  const add = (head: readonly string[], content: Buffer): void => {
    // With the length before it no content can pass for two.
    hash.update(`${JSON.stringify([...head, content.length])}\n`).update(content)
  }
  for (const { name, value } of byName(form.fields)) {
    if (!leftOut.has(name)) add(['field', name], value)
  }
  for (const { name, filename, contentType, content } of byName(form.files)) {
    add(['file', name, filename, contentType], content)
  }
  return hash.digest('hex')
}

function byName<Part extends { name: string }>(parts: readonly Part[]): Part[] {
  return parts.toSorted((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)))
}

/** How much of a form is kept as the payload of an event, in characters. */
export interface RawBounds {
  value: number
  whole: number
}

/**
 * The fields as they came, a list where a name repeats, for the payload of an event. What proves a
 * post is left out: in the hands of whoever reads a log it would prove another one.
 */
export function rawFields(
  posted: PostedFields,
  isLeftOut: (name: string) => boolean,
  bounds: RawBounds,
): Record<string, string | string[]> {
  let room = bounds.whole
  const take = (text: string): string => {
    const taken = text.slice(0, Math.max(0, Math.min(room, bounds.value))).toWellFormed()
    room -= taken.length
    return taken
  }
  const entries: [string, string | string[]][] = []
  for (const [name, values] of posted) {
    // Assigned to some object it would change what that is.
    if (secretFields.has(name) || name === '__proto__' || isLeftOut(name)) continue
    room -= name.length
    if (room < 0) break
    const [first = '', ...others] = values.map(take)
    entries.push([name, others.length === 0 ? first : [first, ...others]])
  }
  return Object.fromEntries(entries)
}

const secretFields: ReadonlySet<string> = new Set(['token', 'signature', 'parent-signature'])

/**
 * `message-headers`: pairs of name and value in their order; undefined when it is broken. In forms from
 * before 2018 a value may be a list of the value itself and its parameters.
 */
export function headerPairs(
  json: string | undefined,
): [name: string, value: unknown][] | undefined {
  if (json === undefined) return undefined
  const pairs = parseJson(json)
  if (!Array.isArray(pairs)) return undefined
  return pairs.flatMap((pair: unknown): [string, unknown][] => {
    const [name, value]: unknown[] = Array.isArray(pair) ? pair : []
    return typeof name === 'string' ? [[name, value]] : []
  })
}
