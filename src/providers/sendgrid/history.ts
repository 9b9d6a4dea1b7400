import { HistoryError } from '../../errors.js'
import type { EventHistory, HistoryPage, HistoryRequest } from '../../provider.js'
import { checkedTransportOptions, type TransportOptions } from '../../transport-options.js'
import { credentials } from './credentials.js'
import { type HistoryCalls, historyCalls, mostMessages } from './history-calls.js'
import { isBehind, type ListedMessage, readActivity, readList, readLog } from './history-entries.js'

/** Where and as whom SendGrid is asked for events. */
export interface SendgridHistoryOptions extends Pick<TransportOptions, 'baseUrl' | 'timeout'> {
  /**
   * An API key that may read Email Activity, with the scopes `email_activity.read` and `messages.read`;
   * default `SENDGRID_API_KEY` of the environment.
   */
  apiKey?: string
}

/**
 * What SendGrid still knows of events: messages found by its Email Activity API, for which the account needs
 * the add-on for additional email activity history, and their events by its Email Logs API, both for 30 days.
 * It has none of EU regional subusers. It allows 6 calls of Email Activity a minute, and each message takes a
 * call of Email Logs; a `HistoryError` says when to come again.
 *
 * @throws ConfigurationError when the API key is missing, or it, the base URL or the timeout is none
 */
export function sendgridHistory(options: SendgridHistoryOptions = {}): EventHistory {
  const caller = 'sendgridHistory'
  const { apiKey, baseUrl } = credentials(caller, options)
  const { timeout } = checkedTransportOptions(caller, options)
  return {
    provider: 'sendgrid',
    read: (request) =>
      readPages(historyCalls({ apiKey, baseUrl, timeout, signal: request.signal }), request),
  }
}

/** Behind which message a reading goes on, and of how many seconds it lists messages at once. */
interface Position extends ListedMessage {
  width: number
}

// As far as a position can write it; more than there are seconds to list.
const widest = 9_999_999_999

/** How far the clock of SendGrid may be ahead, in seconds. */
const clockSkew = 300

/**
 * Reads on in the order of the last events, from `from` up to now: a message with an event in the span may
 * have had others since. One that has another event meanwhile moves ahead, and is met again there.
 *
 * Each message is a page, and each listing one without events, so that every call brings a reading on: the
 * limit may be no more than a few of them.
 */
async function* readPages(
  calls: HistoryCalls,
  { from, to, position }: HistoryRequest,
): AsyncGenerator<HistoryPage> {
  if (!(from < to)) return
  const start = { id: '', lastEvent: Math.max(0, Math.floor(from.getTime() / 1000)), width: widest }
  let { width, ...behind } = position === undefined ? start : readPosition(position)
  for (;;) {
    const first = behind.lastEvent
    const now = Math.ceil(Date.now() / 1000) + clockSkew
    const last = Math.min(first + width - 1, now)
    if (last < first) return
    const listed = await calls.messages(first, last)
    if (listed.length >= mostMessages) {
      width = halfOf(first, last)
      yield { events: [], position: written({ ...behind, width }) }
      continue
    }
    const done = behind
    for (const message of readList(listed, first, last).filter((one) => isBehind(one, done))) {
      const events = await readMessage(calls, message.id)
      behind = message
      yield {
        events: events.filter(
          ({ occurredAt }) => occurredAt && occurredAt >= from && occurredAt < to,
        ),
        position: written({ ...behind, width }),
      }
    }
    if (last === now) return
    behind = { id: '', lastEvent: last + 1 }
    width = Math.min(width * growth(listed.length), widest)
    yield { events: [], position: written({ ...behind, width }) }
  }
}

async function readMessage(calls: HistoryCalls, id: string) {
  // Email Logs has what the webhook has; Email Activity lacks some of it, and is asked where that knows nothing.
  const log = await calls.log(id)
  if (log) return readLog(log)
  const activity = await calls.activity(id)
  // It was forgotten since it was listed.
  return activity ? readActivity(activity) : []
}

/** By how much more time there would be half as many messages as are told at once. */
function growth(listed: number): number {
  const most = 64
  return Math.min(Math.max(Math.floor(mostMessages / 2 / Math.max(listed, 1)), 1), most)
}

function halfOf(first: number, last: number): number {
  if (last > first) return Math.ceil((last - first + 1) / 2)
  throw new HistoryError(
    `SendGrid tells ${mostMessages} messages at once and no others, and so many had their last event at ${new Date(first * 1000).toISOString()}: read the time before and after it on its own`,
    false,
  )
}

const written = ({ lastEvent, width, id }: Position): string => `${lastEvent} ${width} ${id}`

function readPosition(position: string): Position {
  const [, lastEvent, width, id] = /^(\d{1,11}) ([1-9]\d{0,9}) (\S*)$/.exec(position) ?? []
  if (lastEvent === undefined || width === undefined || id === undefined) {
    throw new HistoryError('the position is none that sendgridHistory gave', false)
  }
  return { lastEvent: Number(lastEvent), width: Number(width), id }
}
