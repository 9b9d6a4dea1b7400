import { connectionCause } from '../http-failure.js'

/** How long an endpoint may take to answer, in ms. */
const patience = 30_000

/** What an endpoint answers; status 0 stands for no answer, and the text says why. */
export interface EndpointAnswer {
  status: number
  text: string
  /** What time its clock showed. */
  date?: Date
}

/** Posts as a provider does, which follows no redirects. */
export function post(
  url: string,
  { headers, body }: { headers: Record<string, string>; body: Buffer },
): Promise<EndpointAnswer> {
  return answerTo(url, { method: 'POST', headers, body })
}

/** Tries whether a URL is there. */
export function tryUrl(url: string): Promise<EndpointAnswer> {
  return answerTo(url, { method: 'GET' })
}

async function answerTo(
  url: string,
  { headers, ...request }: { method: string; headers?: Record<string, string>; body?: Buffer },
): Promise<EndpointAnswer> {
  try {
    const { target, credentials } = withoutCredentials(url)
    const response = await fetch(target, {
      ...request,
      headers: { ...headers, ...credentials },
      redirect: 'manual',
      signal: AbortSignal.timeout(patience),
    })
    const date = new Date(response.headers.get('date') ?? NaN)
    return {
      status: response.status,
      text: (await response.text()).slice(0, 200),
      ...(!Number.isNaN(date.getTime()) && { date }),
    }
  } catch (error) {
    return { status: 0, text: connectionCause(error).code ?? 'no answer in time' }
  }
}

/** User and password of a URL go as a header, as providers send them; fetch takes none in a URL. */
function withoutCredentials(url: string): { target: URL; credentials: Record<string, string> } {
  const target = new URL(url)
  const { username, password } = target
  if (username === '' && password === '') return { target, credentials: {} }
  target.username = ''
  target.password = ''
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  const encoded = Buffer.from(pair).toString('base64')
  return { target, credentials: { authorization: `Basic ${encoded}` } }
}
