import type { Correlator } from '../correlator.js'
import type { GuardedWebhook } from '../guarded-webhook.js'

/**
 * What is used of an event: of a REST API (payload format 1.0), of an HTTP API (2.0) or of a function
 * URL, which is the same as the latter.
 */
export interface LambdaEvent {
  httpMethod?: string | undefined
  path?: string | undefined
  rawPath?: string | undefined
  rawQueryString?: string | undefined
  headers?: Record<string, string | undefined> | null | undefined
  multiValueHeaders?: Record<string, string[] | undefined> | null | undefined
  queryStringParameters?: Record<string, string | undefined> | null | undefined
  multiValueQueryStringParameters?: Record<string, string[] | undefined> | null | undefined
  body?: string | null | undefined
  isBase64Encoded?: boolean | undefined
  requestContext?:
    | {
        http?: { method: string; sourceIp?: string | undefined } | undefined
        identity?: { sourceIp?: string | undefined } | undefined
      }
    | undefined
}

/** What API Gateway, a function URL and a load balancer take as an answer. */
export interface LambdaAnswer {
  statusCode: number
  headers: Record<string, string>
  body: string
  isBase64Encoded: boolean
}

/** How long a call of the function may go on. */
export interface LambdaOptions {
  /**
   * How long the answer waits for listeners, in ms, once events are stored; default 1,500. Lambda
   * stands still after it, so what is not told by then is told with a later request, or by another
   * process. Where nobody listens there is nothing to wait for.
   */
  drainTimeout?: number
}

const defaultDrainTimeout = 1500

/**
 * The webhook endpoint as a handler of AWS Lambda.
 *
 * ```ts
 * export const handler = lambdaHandler(correlator)
 * ```
 */
export function lambdaHandler(
  { handler, drain }: Pick<GuardedWebhook, 'handler'> & Partial<Pick<Correlator, 'drain'>>,
  { drainTimeout = defaultDrainTimeout }: LambdaOptions = {},
): (event: LambdaEvent) => Promise<LambdaAnswer> {
  let draining: Promise<void> | undefined

  /** One at a time for all requests, as it goes on when its time is over. */
  async function drained(): Promise<void> {
    // One that is under way may have looked into the store before this event was there.
    await draining
    // What could not be told stays in the store, and is no failure of the request.
    draining ??= drain?.()
      .catch(() => {})
      .finally(() => (draining = undefined))
    await draining
  }

  return async (event) => {
    const request = requestOf(event)
    const remoteAddress = addressOf(event)
    const response = await handler(request, remoteAddress === undefined ? {} : { remoteAddress })
    // Whoever is refused is not waited for.
    if (drain && request.method === 'POST' && response.ok) await atMost(drainTimeout, drained())
    return {
      statusCode: response.status,
      headers: Object.fromEntries(response.headers),
      body: await response.text(),
      isBase64Encoded: false,
    }
  }
}

function requestOf(event: LambdaEvent): Request {
  const { http } = event.requestContext ?? {}
  const method = http?.method ?? event.httpMethod
  const path = event.rawPath ?? event.path
  if (method === undefined || path === undefined) {
    throw new TypeError(
      'lambdaHandler: the event is no HTTP request of API Gateway or a function URL',
    )
  }
  const url = new URL('https://lambda.invalid')
  url.pathname = path
  url.search = event.rawQueryString ?? queryOf(event).toString()
  // fetch knows no body for these.
  const bodyless = method === 'GET' || method === 'HEAD'
  return new Request(url, {
    method,
    headers: headersOf(event),
    body: bodyless ? null : bodyOf(event),
  })
}

function bodyOf({ body, isBase64Encoded }: LambdaEvent): Uint8Array<ArrayBuffer> | null {
  return body ? Uint8Array.from(Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8')) : null
}

/** Format 1.0 has every value of a name under names of its own, and the last one under the others. */
function headersOf({ headers, multiValueHeaders }: LambdaEvent): Headers {
  const all = new Headers()
  for (const [name, value] of pairsOf(multiValueHeaders ?? headers)) {
    // As it came over the wire: Headers take bytes, and what an event holds was read as UTF-8.
    all.append(name, Buffer.from(value, 'utf8').toString('latin1'))
  }
  return all
}

function queryOf(event: LambdaEvent): URLSearchParams {
  const query = event.multiValueQueryStringParameters ?? event.queryStringParameters
  return new URLSearchParams(pairsOf(query))
}

function pairsOf(
  values: Record<string, string | string[] | undefined> | null | undefined,
): [string, string][] {
  return Object.entries(values ?? {}).flatMap(([name, value = []]) =>
    [value].flat().map((one): [string, string] => [name, one]),
  )
}

function addressOf({ requestContext }: LambdaEvent): string | undefined {
  return requestContext?.http?.sourceIp ?? requestContext?.identity?.sourceIp
}

async function atMost(time: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, time)
  })
  await Promise.race([work, late]).finally(() => clearTimeout(timer))
}
