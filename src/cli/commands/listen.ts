import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { UsageError } from '../../errors.js'
import { toIncoming } from '../../matching.js'
import type { Payload, ProviderKit } from '../../provider-kit.js'
import { outcomeOf, usualAnswers } from '../../webhook-answers.js'
import type { Configuration } from '../configuration.js'
import { clockTime, inWords } from '../event-words.js'
import { createPrinter, ended, type ExitCode, type Io, type Printer } from '../io.js'
import { listenAt } from '../ports.js'
import { post } from '../posting.js'
import { kits } from '../providers.js'
import { type Verification, verify } from '../verification.js'

export interface ListenOptions {
  port: number
  /** Where everything is handed on to, below its path. */
  forward?: string
  json?: boolean
}

/** More is posted by no provider, in bytes. */
const largestBody = 64 * 1024 * 1024

/** Headers that are of the connection, and not of what is handed on. */
const ofConnection = new Set(['host', 'connection', 'content-length', 'transfer-encoding'])

/** A server that prints what comes, verified or why not, and may hand it on. */
export async function listen(
  { port, forward, json }: ListenOptions,
  configuration: Configuration,
  io: Io,
): Promise<ExitCode> {
  if (forward !== undefined && !/^https?:\/\//.test(forward)) {
    throw new UsageError('--forward is no http or https URL')
  }
  const printer = createPrinter(io.stdout, io.env, json)
  const server = createServer((request, response) => {
    take(request, response).catch(() => response.destroy())
  })

  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = request
    if (method !== 'POST') {
      printer.line(`${clockTime(io.now())}  ${method} ${pathOf(url)}`)
      printer.record({ kind: 'tried', method, path: pathOf(url) })
      return void response.writeHead(method === 'GET' || method === 'HEAD' ? 200 : 405).end()
    }
    const body = await readBody(request)
    if (!body) return void response.writeHead(413, { connection: 'close' }).end()
    const headers = new Map(
      Object.entries(request.headers).map(([name, value]) => [name, [value].flat().join(', ')]),
    )
    const payload = { body, contentType: headers.get('content-type') ?? '' }
    const kit = await kitOf(url, payload)
    const verification = kit
      ? await verify(kit, configuration.settings(kit), payload, headers, url, io.now())
      : undefined
    const answer =
      forward === undefined
        ? { status: statusFor(kit, configuration, verification), text: '' }
        : await post(forward.replace(/\/+$/, '') + url, {
            headers: Object.fromEntries([...headers].filter(([name]) => !ofConnection.has(name))),
            body,
          })
    await tell(
      printer,
      { path: pathOf(url), kit, payload, verification, status: answer.status },
      io,
    )
    response.writeHead(answer.status === 0 ? 502 : answer.status).end(answer.text)
  }

  const where = await listenAt(server, port)
  printer.line(`Listening at ${where}: point webhooks at ${where}/webhooks/<provider>.`)
  if (forward !== undefined) printer.line(`What comes is handed on to ${forward}.`)
  printer.record({ kind: 'ready', url: where })
  await ended(io.signal)
  server.closeAllConnections()
  server.close()
  return 0
}

/** Without the query, in which a secret may stand. */
const pathOf = (url: string): string => url.replace(/\?.*$/, '')

async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of request) {
    size += piece.length
    if (size > largestBody) return undefined
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

/** By the path, or else by what it looks like. */
async function kitOf(url: string, payload: Payload): Promise<ProviderKit | undefined> {
  const words = pathOf(url).split('/')
  const named = kits.find(({ provider }) => words.includes(provider))
  if (named) return named
  for (const kit of kits) if (await kit.read(payload)) return kit
  return undefined
}

/** As an application would answer; what nobody can verify is only looked at. */
function statusFor(
  kit: ProviderKit | undefined,
  configuration: Configuration,
  verification: Verification | undefined,
): number {
  if (!kit || !verification) return 404
  if (verification.verified !== false) return 200
  const { answers } = kit.createWebhook(configuration.settings(kit))
  return { ...usualAnswers, ...answers }[outcomeOf(verification.reason)]
}

interface Came {
  path: string
  kit: ProviderKit | undefined
  payload: Payload
  verification: Verification | undefined
  status: number
}

async function tell(
  printer: Printer,
  { path, kit, payload, verification, status }: Came,
  io: Io,
): Promise<void> {
  const parsed = (await kit?.read(payload)) ?? []
  const events = parsed.map((event) => toIncoming(kit?.provider ?? '', event, io.now()).event)
  printer.record({
    kind: 'webhook',
    path,
    provider: kit?.provider,
    ...verification,
    status,
    events,
  })
  const answered = status === 0 ? 'nobody answered' : `answered ${status}`
  printer.line(
    `${clockTime(io.now())}  ${kit?.title ?? 'nobody’s'}  ${verdict(printer, verification)}  ${answered}`,
  )
  if (verification && verification.verified !== true) printer.line(`  ${verification.detail}`)
  for (const event of events) printer.line(`  ${event.type.padEnd(12)}  ${inWords(event)}`)
}

function verdict(printer: Printer, verification: Verification | undefined): string {
  if (!verification) return printer.yellow('not known')
  if (verification.verified === true) return printer.green('verified')
  return verification.verified === false
    ? printer.red(`refused (${verification.reason})`)
    : printer.yellow('not verified')
}
