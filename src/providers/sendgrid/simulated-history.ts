import { type Fields, fields, isFields, text, time, wholeNumber } from '../../payload.js'
import type { ToldEvent } from '../../simulator.js'
import { messageIdOf } from './entries.js'
import { reservedKey } from './reserved-keys.js'

/** An answer of Email Activity or Email Logs; its body is still to be written as JSON. */
export interface HistoryAnswer {
  status: number
  body: unknown
}

/** One message to one recipient, with its events in the order in which they were told. */
interface LoggedMessage {
  /** As `sg_message_id` in its first webhook. */
  id: string
  recipient: string
  subject: string
  from: string
  entries: Fields[]
}

const activityPath = '/v3/messages'
const logsPath = '/v3/logs'

export function isHistoryPath(path: string): boolean {
  const pathname = pathOf(path)
  return pathname === activityPath || detailOf(pathname) !== undefined
}

/** The answer to a call of Email Activity or Email Logs; undefined for any other. */
export function answerHistory(
  path: string,
  scopes: readonly string[],
  told: readonly ToldEvent[],
): HistoryAnswer | undefined {
  if (!isHistoryPath(path)) return undefined
  if (!scopes.includes('email_activity.read') || !scopes.includes('messages.read')) {
    return failure(403, 'access forbidden')
  }
  const detail = detailOf(pathOf(path))
  if (detail === undefined) return answerList(loggedMessages(told), queryOf(path))
  const asked = told.find(({ entry }) => loggedId(entry) === detail.id)?.message.id
  const message = loggedMessages(told.filter((one) => one.message.id === asked)).find(
    ({ id }) => id === detail.id,
  )
  if (message === undefined) return failure(404, 'not found')
  return { status: 200, body: detail.root === logsPath ? toLog(message) : toActivity(message) }
}

const pathOf = (path: string): string => path.replace(/\?.*$/, '')

const queryOf = (path: string): URLSearchParams => new URLSearchParams(/\?.*$/.exec(path)?.[0])

/** Which message is asked for, and of whom. */
function detailOf(pathname: string): { root: string; id: string } | undefined {
  const [, root, id] = /^(\/v3\/(?:messages|logs))\/([^/]+)$/.exec(pathname) ?? []
  if (root === undefined || id === undefined) return undefined
  try {
    return { root, id: decodeURIComponent(id) }
  } catch {
    return undefined
  }
}

const loggedId = (entry: unknown): string | undefined =>
  text(fields(entry)['sg_message_id'])?.trim()

/** What bears no id of a message, as an asynchronous bounce, is told by webhook alone (unverified). */
function loggedMessages(told: readonly ToldEvent[]): LoggedMessage[] {
  const messages = new Map<string, LoggedMessage>()
  for (const { message, entry } of told) {
    const id = loggedId(entry)
    const recipient = text(fields(entry)['email'])
    if (!isFields(entry) || recipient === undefined) continue
    if (id === undefined || messageIdOf(id) === undefined) continue
    // The end of the webhook's ids tells when it was received, which is once for each message.
    const key = JSON.stringify([message.id, recipient.toLowerCase()])
    const known = messages.get(key)
    if (known) known.entries.push(entry)
    else {
      const { subject, request } = message
      const from = text(fields(fields(request)['from'])['email']) ?? ''
      messages.set(key, { id, recipient, subject, from, entries: [entry] })
    }
  }
  return [...messages.values()]
}

function answerList(messages: readonly LoggedMessage[], asked: URLSearchParams): HistoryAnswer {
  const limit = wholeNumber(asked.get('limit') ?? '10')
  if (limit === undefined || limit < 1 || limit > 1000) {
    return failure(400, 'limit must be greater than 0 and less than or equal to 1000')
  }
  const span = spanOf(asked.get('query') ?? '')
  if (span === undefined) return failure(400, "invalid syntax: 'query' is not understood")
  const found = messages
    .filter((message) => lastEvent(message) >= span.from && lastEvent(message) <= span.to)
    .toSorted((one, other) => lastEvent(other) - lastEvent(one))
  return { status: 200, body: { messages: found.slice(0, limit).map(toListed) } }
}

/** What a query asks for, in seconds since 1970: everything, or what one history does. */
function spanOf(query: string): { from: number; to: number } | undefined {
  if (query === '') return { from: 0, to: Infinity }
  const [, from = '', to = ''] =
    /^last_event_time BETWEEN TIMESTAMP "([^"]+)" AND TIMESTAMP "([^"]+)"$/.exec(query) ?? []
  const span = { from: Date.parse(from) / 1000, to: Date.parse(to) / 1000 }
  return Number.isNaN(span.from) || Number.isNaN(span.to) ? undefined : span
}

const happenedAt = ({ timestamp }: Fields): number =>
  Math.floor((time(timestamp)?.getTime() ?? 0) / 1000)

const lastEvent = ({ entries }: LoggedMessage): number => Math.max(...entries.map(happenedAt))

const instant = (seconds: number): string =>
  new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')

function toListed(message: LoggedMessage): Fields {
  const named = (name: string) => message.entries.filter(({ event }) => event === name).length
  return {
    ...head(message),
    status: statusOf(message),
    opens_count: named('open'),
    clicks_count: named('click'),
    last_event_time: instant(lastEvent(message)),
  }
}

function head({ from, id, subject, recipient }: LoggedMessage): Fields {
  return { from_email: from, msg_id: id, subject, to_email: recipient }
}

function statusOf({ entries }: LoggedMessage): string {
  const names = new Set(entries.map(({ event }) => event))
  if (names.has('bounce') || names.has('dropped')) return 'not_delivered'
  return names.has('delivered') ? 'delivered' : 'processed'
}

/** The events of the webhook, the last hundred of them, with the custom arguments apart. */
function toLog(message: LoggedMessage): Fields {
  const { msg_id: id, ...rest } = head(message)
  return {
    ...rest,
    sg_message_id: id,
    status: statusOf(message),
    api_key_id: 'sim',
    client_ip: '203.0.113.1',
    ...shared(message, 'category'),
    custom_args: argsOf(message.entries[0] ?? {}),
    events: message.entries.slice(-100).map((entry) => {
      const own = Object.fromEntries(
        Object.entries(entry).filter(
          ([key, value]) => reservedKey(key) && !(key === 'sg_machine_open' && value === false),
        ),
      )
      return { ...own, custom_args: argsOf(entry) }
    }),
  }
}

function argsOf(entry: Fields): Fields {
  return Object.fromEntries(Object.entries(entry).filter(([key]) => !reservedKey(key)))
}

function shared({ entries }: LoggedMessage, name: string): Fields {
  const value = entries.find((entry) => entry[name] !== undefined)?.[name]
  return value === undefined ? {} : { [name]: value }
}

const activityNames = new Map([
  ['bounce', 'bounced'],
  ['open', 'opened'],
  ['click', 'clicked'],
  ['spamreport', 'spam_report'],
])

/** As Email Activity has it: without ids of events, and most fields always there. */
function toActivity(message: LoggedMessage): Fields {
  return {
    ...head(message),
    status: statusOf(message),
    template_id: '',
    asm_group_id: 0,
    teammate: '',
    api_key_id: 'sim',
    originating_ip: '203.0.113.1',
    ...shared(message, 'asm_group_id'),
    categories: shared(message, 'category')['category'] ?? [],
    unique_args: JSON.stringify(argsOf(message.entries[0] ?? {})),
    outbound_ip: '149.72.0.10',
    outbound_ip_type: 'shared',
    events: message.entries.map(toActivityEvent),
  }
}

function toActivityEvent(entry: Fields): Fields {
  const { event, type, reason, response, attempt, url, useragent } = entry
  const name = text(event) ?? ''
  const attempts = wholeNumber(attempt)
  const why = reason ?? response
  return {
    event_name: activityNames.get(name) ?? name,
    processed: instant(happenedAt(entry)),
    bounce_type: name === 'bounce' ? (type === 'bounce' ? 'hard' : 'soft') : '',
    http_user_agent: useragent ?? '',
    mx_server: '',
    ...(why !== undefined && { reason: why }),
    ...(attempts !== undefined && { attempt_num: attempts + 1 }),
    ...(url !== undefined && { url }),
  }
}

function failure(status: number, message: string): HistoryAnswer {
  return { status, body: { errors: [{ field: null, message }] } }
}
