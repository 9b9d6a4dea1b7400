import { isDate } from 'node:util/types'
import { v7 as uuidv7 } from 'uuid'
import type { AnyEvent, InboundMail } from './event.js'
import type { MessageRecord } from './message.js'
import { isFields } from './payload.js'

/** Takes one address out of what is stored. */
export interface Forgetting {
  /** The address in every form in which it may stand. */
  forms: readonly string[]
  /** Whether something has the address in it, as JSON or as it is. */
  isIn(text: string): boolean
  /** With the pseudonym in its place, wherever it stands. */
  text(text: string): string
  /** The same for every text within a value. */
  within<T>(value: T): T
  record(record: MessageRecord): MessageRecord
  /** Also without its payload, and under an id that is made of nothing. */
  event(event: AnyEvent): AnyEvent
}

/**
 * @param written every form in which the address may stand; letter case does not matter
 * @param pseudonym what stands in its place
 */
export function createForgetting(written: readonly string[], pseudonym: string): Forgetting {
  const forms = [...new Set(written.flatMap(formsOf))]
    .filter((form) => form !== '')
    // The longest first, or a part of it would be taken for the whole.
    .toSorted((a, b) => b.length - a.length)
  // Not where it is the end or the beginning of another one.
  const pattern = new RegExp(
    `(?<![\\p{L}\\p{N}._+-])(?:${forms.map(escaped).join('|')})(?![\\p{L}\\p{N}-]|\\.[\\p{L}\\p{N}])`,
    'giu',
  )
  const isIn = (text: string): boolean => text.search(pattern) >= 0
  const text = (value: string): string => value.replace(pattern, () => pseudonym)

  /** Every text within a value; a name beside the address is one's own too. */
  function without(value: unknown): unknown {
    if (typeof value === 'string') return text(value)
    if (Array.isArray(value)) return value.map(without)
    if (!isFields(value) || isDate(value)) return value
    const named = typeof value['address'] === 'string' && isIn(value['address'])
    return Object.fromEntries(
      Object.entries(value).map(([name, entry]) => [
        text(name),
        named && name === 'name' ? '' : without(entry),
      ]),
    )
  }

  // The walk gives every value back in the shape that it had.
  const within = <T>(value: T): T => without(value) as T

  return {
    forms,
    isIn,
    text,
    within,
    record: within,
    event(event) {
      const { raw: _raw, ...facts } = event
      const kept = within(
        facts.type === 'inbound'
          ? { ...facts, mail: withoutContent(facts.mail, 'its content was forgotten') }
          : facts,
      )
      return { ...kept, id: sameTime(event.id), raw: {} }
    },
  }
}

/** As it is, in JSON, and in links. */
function formsOf(address: string): string[] {
  return [address, JSON.stringify(address).slice(1, -1), encodeURIComponent(address)]
}

/** Who a mail is from and to, and what it answers. Its content may have an address in any form. */
export function withoutContent(
  { envelope, from, to, cc, date, messageId, inReplyTo }: InboundMail,
  why: string,
): InboundMail {
  return {
    envelope,
    ...(from && { from }),
    to,
    cc,
    replyTo: [],
    ...(date && { date }),
    ...(messageId !== undefined && { messageId }),
    ...(inReplyTo !== undefined && { inReplyTo }),
    references: [],
    attachments: [],
    inline: {},
    headers: [],
    problems: [why],
  }
}

/** An id of the same time. The one that it replaces is a hash, which the address was a part of. */
function sameTime(id: string): string {
  return uuidv7({ msecs: Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16) })
}

function escaped(literal: string): string {
  return literal.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}
