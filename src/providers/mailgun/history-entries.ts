import type { ParsedEvent } from '../../event.js'
import { type Fields, fields, flag, isFields, parseJson, readEach, text } from '../../payload.js'
import { readEvent } from './event-data.js'

/**
 * The items of a page of the log as events that a webhook would have told; those that cannot be read are
 * left out.
 *
 * The log has milliseconds where a webhook has microseconds, which are rounded when they are read. Where
 * the log cuts them in place of rounding, the ids of the two differ by a millisecond, and it is the key
 * of Mailgun's own event id by which they are known as one.
 */
export function readLogEntries(items: readonly unknown[]): ParsedEvent[] {
  // Looked at for their size only then: variables come as a text, which may hold anything.
  return readEach(items.map(eventDataOf), readEvent).filter(isReadable)
}

function isReadable(event: ParsedEvent): boolean {
  return !(event.type === 'unknown' && event.error !== undefined)
}

/** An item of the log in the form of a webhook's `event-data`. */
function eventDataOf(item: unknown): unknown {
  if (!isFields(item)) return item
  const { '@timestamp': moment, ...others } = item
  const timestamp = secondsOf(moment)
  return {
    ...others,
    ...(timestamp !== undefined && { timestamp }),
    ...('user-variables' in item && { 'user-variables': variablesOf(item['user-variables']) }),
    ...(isFields(item['flags']) && { flags: flagsOf(item, item['flags']) }),
    // The log leaves out what is empty, as `bot` is for a person.
    ...(isFields(item['client-info']) && { 'client-info': { bot: '', ...item['client-info'] } }),
    ...(item['event'] === 'rejected' && { reject: rejectionOf(item) }),
  }
}

/** Unix time with its fraction as it stands there, so that it is rounded as that of a webhook is. */
function secondsOf(moment: unknown): number | undefined {
  const [, second = '', fraction = '0', zone = ''] =
    /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/.exec(text(moment) ?? '') ?? []
  const milliseconds = Date.parse(second + zone)
  return Number.isNaN(milliseconds) ? undefined : Number(`${milliseconds / 1000}.${fraction}`)
}

/** JSON as a text (seen in items of 2026); what is none stays, as the sentence in place of too many. */
function variablesOf(variables: unknown): unknown {
  if (typeof variables !== 'string') return variables
  const parsed = parseJson(variables)
  return isFields(parsed) ? parsed : variables
}

/** Events of which a webhook tells whether a message came in or went out. */
const ofEitherWay = new Set(['accepted', 'delivered', 'failed', 'stored'])

/**
 * The log has every flag, and `false` for those that a webhook leaves away: of a delayed bounce it says
 * `is-authenticated: false` (seen in items of 2026), by which it would be of mail that came in.
 */
function flagsOf(item: Fields, flags: Fields): Fields {
  const isDelayed = flag(flags['is-delayed-bounce']) === true
  if (ofEitherWay.has(text(item['event']) ?? '') && !isDelayed) return flags
  const { 'is-authenticated': _unsaid, ...others } = flags
  return others
}

/** Unverified: the log has no field of its own for it in Mailgun's OpenAPI. */
function rejectionOf(item: Fields): unknown {
  const { reject, reason } = item
  if (isFields(reject)) return reject
  return { reason, description: fields(item['delivery-status'])['message'] }
}
