import type { ParsedEvent } from '../../event.js'
import type { EventHistory, HistoryPage, HistoryRequest, SentIds } from '../../provider.js'
import { checkedTransportOptions, type TransportOptions } from '../../transport-options.js'
import { credentials } from './credentials.js'
import { type InfoCaller, infoCaller } from './history-calls.js'
import { historyEvents } from './history-entries.js'

/** Where and as whom Mandrill is asked for events. */
export interface MandrillHistoryOptions extends Pick<TransportOptions, 'baseUrl' | 'timeout'> {
  /**
   * An API key of the account that sent the messages; default `MANDRILL_API_KEY` of the environment. One
   * that is limited to some calls must be allowed to make `messages/info`.
   */
  apiKey?: string
}

/**
 * What Mandrill still knows of the messages that were sent through it, which is 30 days of them. It has no
 * list of events: there is a call for each recipient of each message.
 *
 * Its last three SMTP events of a message are told, its opens and clicks, and its state. Complaints,
 * unsubscribes and bounces that came back as mail have no time there, so these are told without
 * `occurredAt`: an event that a webhook has told of the same fact is another one.
 *
 * @throws ConfigurationError when no API key is given, or an option is wrong
 */
export function mandrillHistory(options: MandrillHistoryOptions = {}): EventHistory {
  const caller = 'mandrillHistory'
  const { apiKey, basePath } = credentials(caller, options)
  const { timeout } = checkedTransportOptions(caller, options)
  const ask = infoCaller({ apiKey, basePath, timeout })
  return { provider: 'mandrill', read: (request) => readPages(request, ask) }
}

const idsOfPage = 20
const callsAtATime = 4

async function* readPages(request: HistoryRequest, ask: InfoCaller): AsyncGenerator<HistoryPage> {
  // Empty before the first message is finished.
  let position = request.position ?? ''
  for (;;) {
    request.signal?.throwIfAborted()
    const messages = await request.sent(position === '' ? undefined : position)
    if (messages.length === 0) return
    for (const page of pagesOf(messages)) {
      position = page.finished ?? position
      yield { events: await eventsOf(page.ids, request, ask), position }
    }
  }
}

interface PageOfIds {
  ids: string[]
  /** The last message whose ids are all asked for by its end; of a message to many there is none yet. */
  finished?: string
}

/** By ids rather than by messages, for a message may have thousands of recipients. */
function* pagesOf(messages: readonly SentIds[]): Generator<PageOfIds> {
  let page: PageOfIds = { ids: [] }
  for (const { trackingId, providerMessageIds } of messages) {
    for (const id of providerMessageIds) {
      if (page.ids.length === idsOfPage) {
        yield page
        page = { ids: [] }
      }
      page.ids.push(id)
    }
    page.finished = trackingId
  }
  yield page
}

async function eventsOf(
  ids: readonly string[],
  { from, to, signal }: HistoryRequest,
  ask: InfoCaller,
): Promise<ParsedEvent[]> {
  const events: ParsedEvent[][] = []
  for (let start = 0; start < ids.length; start += callsAtATime) {
    signal?.throwIfAborted()
    const asked = ids.slice(start, start + callsAtATime)
    const answers = await Promise.all(asked.map(ask))
    events.push(...asked.map((id, place) => historyEvents(answers[place], id, { from, to })))
  }
  return events.flat()
}
