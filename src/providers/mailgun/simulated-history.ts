import {
  type Fields,
  fields,
  isFields,
  parseJson,
  text,
  texts,
  wholeNumber,
} from '../../payload.js'
import type { ApiAnswer, ApiRequest, ToldEvent } from '../../simulator.js'
import { errorAnswer, isAuthorized, jsonAnswer } from './simulated-answers.js'

export const logsPath = '/v1/analytics/logs'

/** A page of what was told, as the Logs API gives it: of events up to now, and none of its delay. */
export function answerLogs(
  request: ApiRequest,
  now: Date,
  told: readonly ToldEvent[],
  apiKey: string,
): ApiAnswer {
  if (!isAuthorized(request, apiKey)) return errorAnswer(401, 'Invalid private key')
  const query = readQuery(request.body, now)
  if (typeof query === 'string') return errorAnswer(400, query)
  return jsonAnswer(200, pageOf(query, told))
}

interface Query {
  /** As they were given, for the answer has them again. */
  given: { start: unknown; end: unknown }
  /** In ms since 1970. */
  start: number
  end: number
  events: string[]
  /** Of each filter the names of domains, one of which has to fit. */
  domains: string[][]
  descending: boolean
  limit: number
  after?: Mark
}

/** Where an item stands: by its time, and then as they were told. */
interface Mark {
  time: number
  index: number
}

const defaultLimit = 100
const mostItems = 100
const day = 24 * 60 * 60 * 1000

/** What is asked for, or what is wrong with it, in words that are not verified. */
function readQuery(body: Buffer, now: Date): Query | string {
  const asked = parseJson(body.toString('utf8'))
  if (!isFields(asked)) return 'request body is not valid JSON'
  const end = timeOf(asked['end']) ?? now.getTime()
  const start = timeOf(asked['start']) ?? end - day
  if (Number.isNaN(start) || Number.isNaN(end)) return 'time is not RFC 2822'
  if (start > end) return 'start is after end'
  const domains = readFilter(fields(asked['filter'])['AND'])
  if (!domains) return 'invalid filter'
  const { sort = 'timestamp:desc', limit = defaultLimit, token } = fields(asked['pagination'])
  const [, order] = /^timestamp:(asc|desc)$/.exec(String(sort)) ?? []
  if (order === undefined) return 'invalid sort'
  const length = wholeNumber(limit) ?? 0
  if (length < 1 || length > mostItems) return `limit must be between 1 and ${mostItems}`
  const after = token === undefined ? undefined : markOf(text(token) ?? '')
  if (token !== undefined && !after) return 'invalid page token'
  return {
    given: { start: asked['start'], end: asked['end'] },
    start,
    end,
    events: texts(asked['events']),
    domains,
    descending: order === 'desc',
    limit: length,
    ...(after && { after }),
  }
}

/** Undefined where it is left away, and no number where it is no date of RFC 2822. */
function timeOf(value: unknown): number | undefined {
  if (value === undefined) return undefined
  const date = /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d (?:[+-]\d{4}|GMT|UTC)$/
  return typeof value === 'string' && date.test(value) ? Date.parse(value) : Number.NaN
}

/** Of the attributes that it can be asked for by it knows the domain. */
function readFilter(all: unknown): string[][] | undefined {
  if (all === undefined) return []
  if (!Array.isArray(all)) return undefined
  const predicates: Fields[] = all.map(fields)
  const known = predicates.every(
    ({ attribute, comparator }) => attribute === 'domain' && comparator === '=',
  )
  if (!known) return undefined
  return predicates.map(({ values }) =>
    (Array.isArray(values) ? values : []).flatMap((each) => text(fields(each)['value']) ?? []),
  )
}

interface LogItem extends Mark {
  item: Fields
}

function pageOf(query: Query, told: readonly ToldEvent[]): unknown {
  const { given, limit, after, descending } = query
  const order = (a: Mark, b: Mark): number =>
    (a.time - b.time || a.index - b.index) * (descending ? -1 : 1)
  const behind = told
    .flatMap((one, index) => logItem(one, index))
    .filter((one) => isAskedFor(one, query) && (!after || order(one, after) > 0))
    .toSorted(order)
  const page = behind.slice(0, limit)
  const last = page.at(-1)
  return {
    ...given,
    items: page.map(({ item }) => item),
    pagination: {
      first: tokenOf({ time: descending ? query.end : query.start, index: -1 }),
      // A full page leads on, if only to an empty one.
      ...(last && page.length === limit && { next: tokenOf(last) }),
    },
    aggregates: {},
  }
}

function isAskedFor({ item, time }: LogItem, { start, end, events, domains }: Query): boolean {
  const domain = text(fields(item['domain'])['name']) ?? ''
  return (
    time >= start &&
    time < end &&
    (events.length === 0 || events.includes(text(item['event']) ?? '')) &&
    domains.every((names) => names.includes(domain))
  )
}

/** An `event-data` as the log writes it: otherwise in some fields, and without what is empty. */
function logItem({ entry, at }: ToldEvent, index: number): LogItem[] {
  if (!isFields(entry)) return []
  const { timestamp, ...others } = entry
  const time = typeof timestamp === 'number' ? cutToMilliseconds(timestamp) : at.getTime()
  const variables = entry['user-variables']
  const url = fields(entry['storage'])['url']
  return [
    {
      time,
      index,
      item: {
        ...fields(withoutEmpty(others)),
        '@timestamp': new Date(time).toISOString(),
        ...(isFields(variables) && { 'user-variables': JSON.stringify(variables) }),
        ...(isFields(entry['flags']) && { flags: { ...allFlags, ...entry['flags'] } }),
        ...(typeof url === 'string' && { storage: { ...fields(entry['storage']), url: [url] } }),
      },
    },
  ]
}

/** Of the microseconds of a webhook the log has the first three digits. */
function cutToMilliseconds(seconds: number): number {
  return Number(seconds.toFixed(6).replace('.', '').slice(0, -3))
}

const allFlags = {
  'is-authenticated': false,
  'is-system-test': false,
  'is-routed': false,
  'is-test-mode': false,
  'is-delayed-bounce': false,
  'is-callback': false,
  'is-webhook': false,
}

function withoutEmpty(value: unknown): unknown {
  if (!isFields(value)) return value
  const full = Object.entries(value).filter(
    ([, each]) => each !== '' && each !== null && !(Array.isArray(each) && each.length === 0),
  )
  return Object.fromEntries(full.map(([name, each]) => [name, withoutEmpty(each)]))
}

function tokenOf({ time, index }: Mark): string {
  return Buffer.from(JSON.stringify({ time, index })).toString('base64url')
}

function markOf(token: string): Mark | undefined {
  const mark = fields(parseJson(Buffer.from(token, 'base64url').toString('utf8')))
  const [time, index] = [wholeNumber(mark['time']), wholeNumber(mark['index'])]
  return time === undefined || index === undefined ? undefined : { time, index }
}
