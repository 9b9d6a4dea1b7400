import { HistoryError } from '../../errors.js'
import { fields, parseJson, text, wholeNumber } from '../../payload.js'
import type { EventHistory, HistoryPage, HistoryRequest } from '../../provider.js'
import { checkedTransportOptions, type TransportOptions } from '../../transport-options.js'
import { credentials } from './credentials.js'
import { type LogsCaller, logsCaller } from './history-calls.js'
import { readLogEntries } from './history-entries.js'

/** Where and as whom Mailgun is asked for events. */
export interface MailgunHistoryOptions extends Pick<TransportOptions, 'timeout'> {
  /** An API key of the account, for a sending key may only send; default `MAILGUN_API_KEY` of the environment. */
  apiKey?: string
  /** The sending domain that is asked for; default `MAILGUN_DOMAIN`. */
  domain?: string
  /** `https://api.eu.mailgun.net` for domains in the EU; default `MAILGUN_URL`, or else the US. */
  baseUrl?: string
}

/**
 * What Mailgun's Logs API knows of a domain's events: those of the last 1 to 30 days, by plan. An event
 * comes up there some minutes after it happened, so that of a span that ended less than half an hour
 * ago some may be missing. It tells of rejected messages too, which no webhook does.
 *
 * @throws ConfigurationError when the API key or the domain is missing, or is none
 */
export function mailgunHistory(options: MailgunHistoryOptions = {}): EventHistory {
  const caller = 'mailgunHistory'
  const { apiKey, domain, baseUrl } = credentials(caller, options)
  const { timeout } = checkedTransportOptions(caller, options)
  const ask = logsCaller({ apiKey, domain, baseUrl, timeout })
  return { provider: 'mailgun', read: (request) => readPages(request, ask) }
}

/** Where a reading stands. All times are in ms since 1970. */
interface Place {
  /** From when on the log is asked for. */
  start: number
  /** Everything that happened before was told. */
  at: number
  /** Leads to the next page of what was asked for so; without it that is the first. */
  token?: string
}

async function* readPages(
  { from, to, position, signal }: HistoryRequest,
  ask: LogsCaller,
): AsyncGenerator<HistoryPage, void, undefined> {
  const begin = from.getTime()
  const end = to.getTime()
  if (!(begin < end)) return
  let place: Place = position === undefined ? { start: begin, at: begin } : placeOf(position)
  let restartedAt = -Infinity
  for (;;) {
    signal?.throwIfAborted()
    const answer = await ask({ ...place, end })
    if (answer.kind === 'refused') {
      // How long a token is good for is said nowhere, so that the time leads on where one is not taken.
      // Without a step ahead since the last time it would go round in circles.
      if (place.token === undefined || place.at <= restartedAt) throw answer.error
      restartedAt = place.at
      place = restartedFrom(place.at)
      continue
    }
    // A page of nothing ends it although a token may go on behind it, as that of the Events API does.
    if (answer.items.length === 0) return
    const events = readLogEntries(answer.items)
    const times = events.flatMap(({ occurredAt }) => occurredAt?.getTime() ?? [])
    const at = reached(place.at, times)
    const { next } = answer
    const following = next === undefined ? restartedFrom(at) : { ...place, at, token: next }
    yield {
      // What has no time is of no span.
      events: events.filter(
        ({ occurredAt }) => occurredAt && occurredAt >= from && occurredAt < to,
      ),
      position: JSON.stringify(following),
    }
    if (next === undefined) return
    if (next === place.token) {
      throw new HistoryError(
        'Mailgun goes round in circles: a page of its log leads to itself',
        false,
      )
    }
    place = following
  }
}

/** From a time on, without a token: what happened at the same time may be told once more. */
function restartedFrom(at: number): Place {
  return { start: at, at }
}

/** How far a page leads, and no further than it was where it is not in the order that was asked for. */
function reached(before: number, times: readonly number[]): number {
  const inOrder = times.every((time, index) => index === 0 || time >= (times[index - 1] ?? 0))
  return inOrder ? Math.max(before, times.at(-1) ?? before) : before
}

/** @throws HistoryError when it is none of ours */
function placeOf(position: string): Place {
  const { start, at, token } = fields(parseJson(position))
  const [begin, reachedAt, next] = [timeIn(start), timeIn(at), text(token)]
  if (begin === undefined || reachedAt === undefined) {
    throw new HistoryError('the position is none that a reading of Mailgun has given', false)
  }
  return { start: begin, at: reachedAt, ...(next !== undefined && { token: next }) }
}

function timeIn(value: unknown): number | undefined {
  const number = wholeNumber(value)
  return number === undefined || Number.isNaN(new Date(number).getTime()) ? undefined : number
}
