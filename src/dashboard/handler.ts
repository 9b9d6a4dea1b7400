import { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import {
  type HttpHandler,
  type HttpRequest,
  type HttpResponse,
  requestHead,
} from '../http-handler.js'
import type { AddressRanges } from '../address-ranges.js'
import { messageOf } from '../errors.js'
import { type Authorize, decide } from './access.js'
import { answer, fileAnswer, plain, redirect, refusal } from './answers.js'
import { formToken, isSameOrigin, isToken, tokenField } from './csrf.js'
import { toCsv, toJson } from './exports.js'
import { linkWith, type Place } from './links.js'
import type { Live } from './live.js'
import { content, missing, type NavigationEntry, opening } from './page.js'
import type { Asked, Sources, StandingView, View } from './view.js'

export interface DashboardParts {
  /** Where it is mounted, without a slash at the end. */
  mount: string
  authorize: Authorize | undefined
  /** Signs forms. */
  secret: string
  trustedProxies: AddressRanges
  sources: Sources
  /** The view of a path below the mount. */
  route(path: string): View | undefined
  navigation: readonly NavigationEntry[]
  live: Live
}

// Fifty took browsers 20 ms longer to draw.
const rowsOfPage = 25
const rowsOfExport = 1000

/** What forms of the dashboard come to at most, in bytes, and how long they may take to come, in ms. */
const largestForm = 64 * 1024
const slowestForm = 10_000

/** Asks who it is, and only then what they want. */
export function dashboardHandler(parts: DashboardParts): HttpHandler {
  const { mount, authorize, secret, trustedProxies } = parts
  return async (request) => {
    const [pathname, query] = splitTarget(request.target)
    const searchParams = new URLSearchParams(query)
    if (pathname !== mount && !pathname.startsWith(`${mount}/`)) return undefined
    const decision = await decide(authorize, requestHead(request, trustedProxies))
    if (decision.kind === 'refused') return refusal(decision.status)
    if (pathname === mount) {
      return redirect(308, `${mount.slice(mount.lastIndexOf('/') + 1)}/`)
    }
    const path = pathname.slice(mount.length + 1)
    const place = { root: '../'.repeat(path.split('/').length - 1), path, parameters: searchParams }
    const token = formToken(secret, decision.user)
    try {
      if (request.method === 'POST') {
        if (!isSameOrigin(request))
          return plain(403, 'The form was not on a page of this dashboard.')
        return await act(parts, request, place, (given) => isToken(given, secret, decision.user))
      }
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        return plain(405, 'Method Not Allowed', { allow: 'GET, HEAD, POST' })
      }
      const file = /^files\/([a-z.-]+)$/.exec(path)?.[1]
      if (file !== undefined) return fileAnswer(file, searchParams.has('v'))
      if (path === 'live' && request.method === 'GET') {
        return liveAnswer(parts, searchParams, token)
      }
      return await show(parts, request.method, place, token)
    } catch (error) {
      return plain(503, cannotBeShown(error))
    }
  }
}

async function show(
  parts: DashboardParts,
  method: string,
  place: Place,
  token: string,
): Promise<HttpResponse> {
  const { sources, route, navigation } = parts
  const view = route(place.path)
  const format = place.parameters.get('format')
  const limit = format === null ? rowsOfPage : rowsOfExport
  const asked: Asked = { ...place, limit, token, now: new Date() }
  if (view?.always && format === null && method === 'GET') {
    return answer(200, htmlType, Readable.from(pieces(parts, view, asked)))
  }
  const page = await view?.read(sources, asked)
  if (!view || !page) {
    const title = 'Not found'
    const { text } = missing(title, 'There is nothing here, or not any more.')
    return answer(404, htmlType, opening(title, place, navigation).text + text)
  }
  if (format === null) {
    const { text } = content(view.title, page.body, place)
    return answer(200, htmlType, opening(view.title, place, navigation).text + text)
  }
  const name = place.parameters.get('table')
  const table = page.tables.find((candidate) => candidate.name === name)
  if (!table) return plain(404, 'There is no such table here.')
  if (format === 'json') {
    return answer(200, 'application/json; charset=utf-8', toJson(table))
  }
  if (format !== 'csv') return plain(400, 'The format is csv or json.')
  return answer(200, 'text/csv; charset=utf-8', await toCsv(table), {
    'content-disposition': `attachment; filename="${table.name}.csv"`,
  })
}

/** The head of a page, which browsers draw while the store is asked for the rest. */
async function* pieces(
  { sources, navigation }: DashboardParts,
  view: StandingView,
  asked: Asked,
): AsyncGenerator<string> {
  yield opening(view.title, asked, navigation).text
  // A store that answers at once would keep the head back.
  await setImmediate()
  try {
    const page = await view.read(sources, asked)
    yield content(view.title, page.body, asked).text
  } catch (error) {
    yield missing(view.title, cannotBeShown(error)).text
  }
}

async function act(
  { sources, route }: DashboardParts,
  request: HttpRequest,
  place: Place,
  isOurs: (token: string) => boolean,
): Promise<HttpResponse> {
  const view = route(place.path)
  if (!view?.act) return plain(404, 'There is nothing to be done here.')
  const limits = { size: largestForm, time: slowestForm, reserve: () => true }
  const reading = await request.readBody(limits)
  if (reading.kind === 'refused') {
    return reading.reason === 'consumed'
      ? plain(500, 'The form was read before: mount the dashboard before body parsers.')
      : plain(400, 'The form could not be read.')
  }
  const form = new URLSearchParams(reading.body.toString('utf8'))
  if (!isOurs(form.get(tokenField) ?? '')) {
    return plain(403, 'The form is from before a restart, or from elsewhere: load the page again.')
  }
  try {
    const { notice, count } = await view.act(sources, form)
    const done = { done: notice, count: count === undefined ? '' : String(count) }
    return redirect(303, linkWith(place, done))
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    return plain(400, messageOf(error))
  }
}

function liveAnswer(
  { sources, route, live }: DashboardParts,
  asked: URLSearchParams,
  token: string,
): HttpResponse {
  const target = asked.get('view') ?? ''
  const [path, query] = splitTarget(target)
  const view = route(path)
  if (!view) return plain(404, 'There is no such view.')
  const root = '../'.repeat(path.split('/').length - 1)
  const place = { root, path, parameters: new URLSearchParams(query) }
  const look = async (): Promise<string> => {
    const page = await view.read(sources, { ...place, limit: rowsOfPage, token, now: new Date() })
    return page?.body.text ?? ''
  }
  return answer(
    200,
    'text/event-stream',
    live.stream(`${token} ${target}`, look, asked.get('seen') ?? ''),
    {
      'x-accel-buffering': 'no',
    },
  )
}

function splitTarget(target: string): [path: string, query: string] {
  const mark = target.indexOf('?')
  return mark < 0 ? [target, ''] : [target.slice(0, mark), target.slice(mark + 1)]
}

const htmlType = 'text/html; charset=utf-8'

const cannotBeShown = (error: unknown): string => `This cannot be shown now: ${messageOf(error)}`
