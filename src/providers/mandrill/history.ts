import { HistoryError, type SendErrorCategory } from '../../errors.js'
import type { ParsedEvent } from '../../event.js'
import { type HttpAnswer, type HttpCaller, httpCaller } from '../../http-caller.js'
import {
  connectionCause,
  connectionFailure,
  httpFailure,
  plainWords,
  waitBefore,
} from '../../http-failure.js'
import { fields, parseJson, text, texts } from '../../payload.js'
import type { EventHistory, HistoryPage, HistoryRequest, SentIds } from '../../provider.js'
import { checkedTransportOptions, type TransportOptions } from '../../transport-options.js'
import { credentials } from './credentials.js'
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
  const user = 'mandrillHistory'
  const { apiKey, basePath } = credentials(user, options)
  const { timeout } = checkedTransportOptions(user, options)
  const call = httpCaller(timeout)
  const url = `${basePath}/messages/info.json`
  return {
    provider: 'mandrill',
    read: (request) => readPages(request, (id) => askFor(id, { call, url, apiKey })),
  }
}

/** The answer about the message of an id; undefined when it is not known any more, or not yet. */
type Ask = (id: string) => Promise<unknown>

const idsOfPage = 20
const callsAtATime = 4

async function* readPages(request: HistoryRequest, ask: Ask): AsyncGenerator<HistoryPage> {
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
  ask: Ask,
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

interface Api {
  call: HttpCaller
  url: string
  apiKey: string
}

async function askFor(id: string, { call, url, apiKey }: Api): Promise<unknown> {
  let answer: HttpAnswer
  try {
    answer = await call({
      method: 'POST',
      url,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ key: apiKey, id }),
    })
  } catch (error) {
    throw notReached(error)
  }
  const body = parseJson(answer.body)
  if (isUnknown(body)) return undefined
  if (answer.status !== 200 || body === undefined || fields(body)['status'] === 'error') {
    throw refused(answer, body, apiKey)
  }
  return body
}

/** Mandrill has no such message: not any more, or not yet, or what it was asked for is no id of its own. */
function isUnknown(body: unknown): boolean {
  const { name, message } = fields(body)
  // Unverified: how it words the refusal of an id; other calls have the field and what is wrong in JSON.
  return (
    name === 'Unknown_Message' || (name === 'ValidationError' && /"id"/.test(text(message) ?? ''))
  )
}

function notReached(error: unknown): HistoryError {
  const { code = 'an error' } = connectionCause(error)
  const { category } = connectionFailure('Mandrill', error, { notTaken: true })
  return new HistoryError(
    category === 'timeout'
      ? 'Mandrill did not answer in time'
      : `the connection to Mandrill failed with ${code}`,
    true,
  )
}

// By the error's name, for every one came with status 500 for years; the others may be made again.
const categories = new Map<string, SendErrorCategory>([
  ['Invalid_Key', 'auth'],
  ['ValidationError', 'validation'],
  ['PaymentRequired', 'rejected'],
])

const advice = new Map<SendErrorCategory, string>([
  [
    'auth',
    'Give an API key of the account that sent the messages, which may make the call messages/info (Mandrill shows it under Settings, SMTP & API Info)',
  ],
  ['rejected', 'The account of this API key may not make the call messages/info: see its plan'],
  ['configuration', 'The baseUrl must be the root of an API, as https://mandrillapp.com is'],
])

function refused(answer: HttpAnswer, body: unknown, apiKey: string): HistoryError {
  const { status, statusText, headers } = answer
  const { name, message } = fields(body)
  const words =
    texts([name, message]).join(': ') || plainWords(headers['content-type'], answer.body)
  const failure = httpFailure('Mandrill', {
    status,
    detail: words || `${statusText ? `${statusText}, ` : ''}not in the words of its API`,
    category: categories.get(text(name) ?? ''),
    notTaken: true,
    retryAfter: waitBefore((header) => headers[header] ?? null, Date.now()),
    secrets: [apiKey],
  })
  const hint = advice.get(failure.category)
  return new HistoryError(
    hint === undefined ? failure.message : `${failure.message.replace(/\.$/, '')}. ${hint}`,
    failure.retryable,
    failure.retryAfter,
  )
}
