import type { ParsedEvent } from '../../event.js'
import {
  type Fields,
  fields,
  isFields,
  isoTime,
  parseJson,
  readEach,
  text,
  time,
  wholeNumber,
} from '../../payload.js'
import { readEvent } from './entries.js'

/** A message in Email Activity's list. */
export interface ListedMessage {
  /** As `sg_message_id` in webhooks. */
  id: string
  /** When its last event happened, in seconds since 1970. */
  lastEvent: number
}

// A dot alone would be another path.
const messageId = /^(?!\.+$)[!-~]{1,300}$/

/**
 * The messages of a list that can be asked for, in the order of their last event; for SendGrid does not
 * document its own. A time that was not asked for becomes the nearest that was, so that the order never
 * leads out of what was listed.
 *
 * @param first in seconds since 1970; it stands for a time that cannot be read, too
 * @param last in seconds since 1970
 */
export function readList(
  messages: readonly unknown[],
  first: number,
  last: number,
): ListedMessage[] {
  return messages
    .flatMap((message) => {
      const { msg_id: id, last_event_time: lastEvent } = fields(message)
      const bare = text(id)?.trim() ?? ''
      const at = instant(lastEvent)
      if (!messageId.test(bare)) return []
      return [{ id: bare, lastEvent: Math.min(Math.max(at ? seconds(at) : first, first), last) }]
    })
    .toSorted((one, other) => (isBehind(one, other) ? 1 : -1))
}

/** Whether a message comes after another one in the order of their last event. */
export function isBehind(message: ListedMessage, other: ListedMessage): boolean {
  return message.lastEvent === other.lastEvent
    ? message.id > other.id
    : message.lastEvent > other.lastEvent
}

/**
 * The events of a message in Email Logs (`GET /v3/logs/{sg_message_id}`): those of the webhook, their ids
 * among them, but for the custom arguments, which stand apart (sendgrid-oai, tsg_logs_v3). Of more than a
 * hundred it has the last ones.
 */
export function readLog(message: Fields): ParsedEvent[] {
  const { custom_args: args, category, to_email: email, sg_message_id: id } = message
  return readEvents(message, ({ custom_args: ownArgs, ...event }) =>
    // About the request rather than a message, and in no webhook.
    event['event'] === 'received'
      ? undefined
      : {
          ...fields(args),
          ...fields(ownArgs),
          ...present({ email, sg_message_id: id, category }),
          ...event,
        },
  )
}

// What Email Activity names otherwise than the webhook; the rest is the same (sendgrid-oai,
// tsg_email_activity_v3).
const names = new Map([
  ['bounced', 'bounce'],
  ['opened', 'open'],
  ['clicked', 'click'],
  ['spam_report', 'spamreport'],
])

// Email Logs: `blocked` is a soft bounce, `bounce` a hard one. What `expired` is here is not documented.
const bounceTypes = new Map([
  ['hard', 'bounce'],
  ['soft', 'blocked'],
])

/**
 * The events of a message in Email Activity (`GET /v3/messages/{msg_id}`), as the webhook writes them. They
 * are the same facts by type, message, recipient and second. What it does not tell: the ids of events, the
 * IP address of an open or a click, and where a clicked link stands. So these two are not known again where
 * the webhook has told them.
 */
export function readActivity(message: Fields): ParsedEvent[] {
  const { to_email: email, msg_id: id, categories, asm_group_id: group } = message
  return readEvents(message, (event) => {
    const name = text(event['event_name']) ?? ''
    const at = instant(event['processed'])
    // From 1 to 10 here, and from 0 there (tsg_logs_v3); neither was seen in captures.
    const attempt = wholeNumber(event['attempt_num'])
    const undelivered = name === 'bounced' || name === 'dropped'
    return {
      ...uniqueArgs(message['unique_args']),
      ...present({
        email,
        sg_message_id: id,
        category: categories,
        asm_group_id: group,
        timestamp: at && seconds(at),
        attempt: attempt !== undefined && attempt > 0 ? attempt - 1 : undefined,
        [undelivered ? 'reason' : 'response']: event['reason'],
        type: name === 'bounced' ? bounceTypes.get(text(event['bounce_type']) ?? '') : undefined,
        url: event['url'],
        useragent: event['http_user_agent'],
        // Unverified: it is in no document.
        ip: event['ip'],
      }),
      event: names.get(name) ?? name,
    }
  })
}

/**
 * What cannot be read has no time, and so no place in a span: it is left out.
 *
 * @param toEntry an event as the webhook writes it; undefined when it is none of the webhook's
 */
function readEvents(
  message: Fields,
  toEntry: (event: Fields) => Fields | undefined,
): ParsedEvent[] {
  const { events } = message
  const entries = (Array.isArray(events) ? events : []).filter(isFields).flatMap((event) => {
    const entry = toEntry(event)
    return entry === undefined ? [] : [entry]
  })
  const read = readEach(entries, readEvent)
  let delivered = Infinity
  for (const { type, occurredAt } of read) {
    if (type === 'delivered' && occurredAt) delivered = Math.min(delivered, occurredAt.getTime())
  }
  return read.map((event) => afterDelivery(event, delivered))
}

/**
 * The webhook's asynchronous bounces bear no id of a message, by which they are told from others; these do.
 * So they are not known again where the webhook has told them.
 */
function afterDelivery(event: ParsedEvent, delivered: number): ParsedEvent {
  if (event.type !== 'bounced' || !((event.occurredAt?.getTime() ?? 0) > delivered)) return event
  return { ...event, bounce: { ...event.bounce, asynchronous: true } }
}

/** Those that are told at all. */
function present(entry: Fields): Fields {
  return Object.fromEntries(
    Object.entries(entry).filter(([, value]) => value !== undefined && value !== null),
  )
}

/** JSON in a string, as documented; what is none tells nothing. */
function uniqueArgs(value: unknown): Fields {
  return fields(typeof value === 'string' ? parseJson(value) : value)
}

/** A time as ISO 8601, which is UTC where it has no zone; or in seconds since 1970. */
function instant(value: unknown): Date | undefined {
  const words = text(value)?.trim() ?? ''
  if (/^[\d.]+$/.test(words)) return time(words)
  return isoTime(words)
}

const seconds = (at: Date): number => Math.floor(at.getTime() / 1000)
