import type { HttpAnswer, HttpHandler, HttpRequest } from '../webhook-handler.js'
import type { AddressRanges } from '../address-ranges.js'
import { clientAddress } from '../address-ranges.js'
import { messageOf } from '../errors.js'
import { type Authorize, decide } from './access.js'
import { answer, fileAnswer, headers, plain, redirect, refusal } from './answers.js'
import { formToken, isSameOrigin, isToken, tokenField } from './csrf.js'
import { toCsv, toJson } from './exports.js'
import { html } from './html.js'
import { linkWith, type Place } from './links.js'
import type { Live } from './live.js'
import { noticeOf } from './notices.js'
import { document, type NavigationEntry, type Page } from './page.js'
import type { Asked, Sources, View } from './view.js'

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

const rowsOfPage = 50
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
    const client = clientAddress(
      request.peerAddress,
      request.header('x-forwarded-for'),
      trustedProxies,
    )
    const decision = await decide(authorize, {
      method: request.method,
      target: request.target,
      header: (name) => request.header(name),
      ...(client !== undefined && { clientAddress: client }),
    })
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
      return await show(parts, place, token)
    } catch (error) {
      return plain(503, `This cannot be shown now: ${messageOf(error)}`)
    }
  }
}

async function show(parts: DashboardParts, place: Place, token: string): Promise<HttpAnswer> {
  const format = place.parameters.get('format')
  const page = await read(parts, place, token, format === null ? rowsOfPage : rowsOfExport)
  if (!page) return answerPage(parts, 404, notFound, place)
  if (format === null) return answerPage(parts, 200, page, place)
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

async function read(
  { sources, route }: DashboardParts,
  place: Place,
  token: string,
  limit: number,
): Promise<Page | undefined> {
  const asked: Asked = { ...place, limit, token, now: new Date() }
  return route(place.path)?.read(sources, asked)
}

async function act(
  { sources, route }: DashboardParts,
  request: HttpRequest,
  place: Place,
  isOurs: (token: string) => boolean,
): Promise<HttpAnswer> {
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

function liveAnswer(parts: DashboardParts, asked: URLSearchParams, token: string): HttpAnswer {
  const view = asked.get('view') ?? ''
  const [path, query] = splitTarget(view)
  if (!parts.route(path)) return plain(404, 'There is no such view.')
  const root = '../'.repeat(path.split('/').length - 1)
  const place = { root, path, parameters: new URLSearchParams(query) }
  const look = async (): Promise<string> =>
    (await read(parts, place, token, rowsOfPage))?.body.text ?? ''
  return {
    status: 200,
    headers: { ...headers, 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' },
    body: parts.live.stream(`${token} ${view}`, look, asked.get('seen') ?? ''),
  }
}

function splitTarget(target: string): [path: string, query: string] {
  const mark = target.indexOf('?')
  return mark < 0 ? [target, ''] : [target.slice(0, mark), target.slice(mark + 1)]
}

const notFound: Page = {
  title: 'Not found',
  body: html`<p>There is nothing here, or not any more.</p>`,
  tables: [],
}

function answerPage(
  { navigation }: DashboardParts,
  status: number,
  page: Page,
  place: Place,
): HttpAnswer {
  const { text } = document(page, place, navigation, noticeOf(place.parameters))
  return answer(status, 'text/html; charset=utf-8', text)
}
