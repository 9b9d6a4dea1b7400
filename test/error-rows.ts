import { afterEach, describe, expect, test } from '@jest/globals'
import { SendError, type SendErrorCategory } from '../src/errors.js'
import type { ApiFailure, RunningProvider } from '../src/testing/index.js'
import { startEndpoint } from './endpoint.js'

/** What an error tells the code that catches it. */
export interface Verdict {
  category: SendErrorCategory
  retryable: boolean
  outcome: 'not-sent' | 'unknown'
}

const refused = (category: SendErrorCategory): Verdict => ({
  category,
  retryable: false,
  outcome: 'not-sent',
})

export const verdicts = {
  auth: refused('auth'),
  validation: refused('validation'),
  configuration: refused('configuration'),
  rejected: refused('rejected'),
  /** To be sent again later. */
  rateLimit: { category: 'rate-limit', retryable: true, outcome: 'not-sent' },
  unavailable: { category: 'server', retryable: true, outcome: 'not-sent' },
  /** It may have taken the message, which is not sent again. */
  open: { category: 'server', retryable: false, outcome: 'unknown' },
  unreachable: { category: 'network', retryable: true, outcome: 'not-sent' },
  broken: { category: 'network', retryable: false, outcome: 'unknown' },
  silent: { category: 'timeout', retryable: false, outcome: 'unknown' },
} as const satisfies Record<string, Verdict>

export interface Answer {
  status: number
  headers: Record<string, string>
  body: string
}

const answerOf =
  (type: string) =>
  (status: number, body: string, headers: Record<string, string> = {}): Answer => ({
    status,
    headers: { 'content-type': type, ...headers },
    body,
  })

export const json = answerOf('application/json')
export const html = answerOf('text/html; charset=utf-8')
export const plain = answerOf('text/plain; charset=utf-8')
export const empty = (status: number, headers: Record<string, string> = {}): Answer => ({
  status,
  headers,
  body: '',
})

/** A page as nginx writes it. */
export const page = (title: string): string =>
  `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<center><h1>${title}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n`

/**
 * An answer, what the error says to code, what it says to who reads it, and when the provider wants to
 * be asked again, in ms.
 */
export type ErrorRow = [answer: Answer, verdict: Verdict, says: string, retryAfter?: number]

/** How a provider is sent to. */
export interface Sending {
  /** A simulated provider. */
  start(): Promise<RunningProvider>
  /** Sends a message to that base URL, once. */
  send(baseUrl: string, options?: { timeout: number }): Promise<unknown>
}

const running: RunningProvider[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((provider) => provider.close()))
})

/** What a send is refused with by a provider that fails so. */
export async function failureOf(
  { start, send }: Sending,
  failure: ApiFailure,
  options?: { timeout: number },
): Promise<SendError> {
  const provider = await start()
  running.push(provider)
  provider.failNext(failure)
  return refusalOf(send(provider.url, options))
}

async function refusalOf(sending: Promise<unknown>): Promise<SendError> {
  const error: unknown = await sending.then(
    (info) => new Error(`it was taken: ${JSON.stringify(info)}`),
    (reason: unknown) => reason,
  )
  if (error instanceof SendError) return error
  throw error
}

/** Every answer of a table becomes an error that says so. */
export function describeErrorBodies(sending: Sending, rows: readonly ErrorRow[]): void {
  describe('an error of the API', () => {
    // Two rows for the same answer would hide which of them is meant.
    test('has one row for each answer', () => {
      const answers = rows.map(([answer]) => JSON.stringify(answer))
      expect(answers.filter((answer, row) => answers.indexOf(answer) !== row)).toEqual([])
    })

    test.each(rows.map((row) => [row[0].status, shown(row[0]), row] as const))(
      '%i %s',
      async (statusCode, _, [answer, verdict, says, retryAfter]) => {
        const error = await failureOf(sending, { kind: 'answer', ...answer })
        expect(error).toMatchObject({ ...verdict, statusCode })
        expect(error.message).toContain(says)
        expect(error.message).not.toMatch(/<html|<\/|nginx/)
        if (retryAfter === undefined) expect(error).not.toHaveProperty('retryAfter')
        // A date comes nearer while the tests run.
        else expect(Math.abs((error.retryAfter ?? -1) - retryAfter)).toBeLessThan(30_000)
      },
    )
  })
}

function shown({ headers, body }: Answer): string {
  const { 'content-type': _, ...others } = headers
  const what = body.startsWith('<html') ? `a page, ${body.slice(0, 60)}` : body || 'nothing'
  return JSON.stringify(others) === '{}' ? what : `${what} ${JSON.stringify(others)}`
}

/** Every way that a connection fails becomes an error that says whether the message may be out. */
export function describeConnections(provider: string, sending: Sending): void {
  describe('a connection', () => {
    test('that nobody takes', async () => {
      const endpoint = await startEndpoint(() => {})
      await endpoint.close()
      const error = await refusalOf(sending.send(endpoint.url))
      expect(error).toMatchObject(verdicts.unreachable)
      expect(error).not.toHaveProperty('statusCode')
      expect(error.message).toBe(
        `the connection to ${provider} failed with ECONNREFUSED: the message was not sent`,
      )
    })

    test('to a name that nobody has', async () => {
      const error = await refusalOf(sending.send('http://mailtrail.invalid'))
      expect(error).toMatchObject(verdicts.unreachable)
      expect(error.message).toMatch(
        /failed with (?:ENOTFOUND|EAI_AGAIN): the message was not sent$/,
      )
    })

    test('to a server without TLS', async () => {
      const endpoint = await startEndpoint((_, response) => void response.end())
      const sent = sending.send(endpoint.url.replace('http:', 'https:'))
      const error = await refusalOf(sent).finally(endpoint.close)
      expect(error).toMatchObject(verdicts.unreachable)
      expect(error.message).toMatch(/failed with E[A-Z_]+: the message was not sent$/)
    })

    test.each<[string, ApiFailure, Verdict, RegExp]>([
      [
        'breaks after the call',
        { kind: 'cut' },
        verdicts.broken,
        /with [A-Z_]+: it may have taken/,
      ],
      ['breaks before it', { kind: 'refused' }, verdicts.broken, /with [A-Z_]+: it may have taken/],
      ['is silent', { kind: 'silent' }, verdicts.silent, /did not answer in time: it may have/],
    ])('that %s', async (_, failure, verdict, says) => {
      const error = await failureOf(sending, failure, { timeout: 250 })
      expect(error).toMatchObject(verdict)
      expect(error).not.toHaveProperty('statusCode')
      expect(error.message).toMatch(says)
    })

    test('that breaks within the answer', async () => {
      const endpoint = await startEndpoint((request, response) => {
        request.resume().on('end', () => {
          response.writeHead(200, { 'content-type': 'application/json', 'content-length': '99' })
          response.write('{"id":')
          setTimeout(() => response.destroy(), 10)
        })
      })
      const error = await refusalOf(sending.send(endpoint.url)).finally(endpoint.close)
      expect(error).toMatchObject(verdicts.broken)
    })
  })
}

/** A provider that quotes the credentials it was sent is quoted without them. */
export function describeQuotedSecrets(
  sending: Sending,
  secrets: readonly [form: string, secret: string][],
  bodyOf: (words: string) => Answer,
): void {
  describe('an answer that quotes', () => {
    test.each(secrets)('%s is told without it', async (_, secret) => {
      for (const answer of [bodyOf(`no such key: ${secret}.`), plain(502, `bad: ${secret}.`)]) {
        const error = await failureOf(sending, { kind: 'answer', ...answer })
        expect(error.message).toContain(': <secret>.')
        expect(error.message).not.toContain(secret)
      }
    })

    test.each(secrets)('%s where it is cut is told without any of it', async (_, secret) => {
      const words = `${'x '.repeat(245)}${secret}`
      const error = await failureOf(sending, { kind: 'answer', ...bodyOf(words) })
      expect(error.message).not.toContain(secret.slice(0, 8))
    })
  })
}
