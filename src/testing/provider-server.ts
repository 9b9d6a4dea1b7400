import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type {
  ApiAnswer,
  ApiRequest,
  ProviderSimulator,
  SimulatedEvent,
  SimulatedMessage,
  ToldEvent,
} from '../simulator.js'

/** One webhook that a provider posts about a message; Mailgun posts one for each event of it. */
export interface ScriptedPost {
  events: SimulatedEvent[]
  /** How long after the API's answer, in ms; default 0, and posts keep their order. */
  after?: number
  /** Before the API answers: the answer waits until the webhook was taken. */
  early?: boolean
  /** How often the very same request is posted; default once. */
  times?: number
  /** Signed with another key, as by somebody else. */
  forged?: boolean
}

/** How an API call fails in place of its answer. */
export type ApiFailure =
  | { kind: 'answer'; status: number; headers?: Record<string, string>; body?: string }
  /** The call is taken, and the connection breaks before the answer. */
  | { kind: 'cut' }
  /** The connection breaks before the call is read. */
  | { kind: 'refused' }
  /** The call is taken, and no answer comes. */
  | { kind: 'silent' }

export interface StartOptions {
  /** Where webhooks are posted to; without it nothing is posted, and events happen all the same. */
  webhookUrl?: string
  /** What becomes of a message; by default it is accepted and delivered. */
  script?: (message: SimulatedMessage) => ScriptedPost[]
  /** Where it listens; a free port by default. */
  port?: number
}

/** A webhook that was posted, and what it was answered. */
export interface PostedWebhook {
  body: Buffer
  /** The HTTP status of the answer; 0 when nobody answered. */
  status: number
  answer: string
}

/** A simulated provider that listens on loopback. */
export interface RunningProvider {
  /** The base URL for a transport. */
  readonly url: string
  /** Every message it accepted. */
  readonly messages: SimulatedMessage[]
  /** Every API call that it read. */
  readonly requests: ApiRequest[]
  /** Every webhook that it posted. */
  readonly posted: PostedWebhook[]
  /** Lets the next API call fail; several calls of this line up. */
  failNext(failure: ApiFailure): void
  /** Posts a webhook about a message, outside the script; resolves when it was answered. */
  post(message: SimulatedMessage, post: ScriptedPost): Promise<PostedWebhook[]>
  /** Resolves when everything scripted was posted and answered. */
  settled(): Promise<void>
  close(): Promise<void>
}

/** Serves a simulated provider on a free port of this machine. */
export async function startProvider(
  simulator: ProviderSimulator,
  { webhookUrl, script = acceptedAndDelivered, port: wanted = 0 }: StartOptions = {},
): Promise<RunningProvider> {
  const messages: SimulatedMessage[] = []
  const requests: ApiRequest[] = []
  const posted: PostedWebhook[] = []
  const told: ToldEvent[] = []
  const failures: ApiFailure[] = []
  const scripts = new Set<Promise<void>>()
  const stop = new AbortController()

  async function post(message: SimulatedMessage, scripted: ScriptedPost): Promise<PostedWebhook[]> {
    const now = new Date()
    const entries = scripted.events.map((event) => {
      const whole = simulator.entry(message, event, now)
      const entry = event.change ? event.change(whole) : whole
      told.push({ message, event, entry, at: event.at ?? now })
      return entry
    })
    if (webhookUrl === undefined) return []
    const results: PostedWebhook[] = []
    for (const request of simulator.webhooks(entries, now, scripted.forged)) {
      for (let time = 0; time < (scripted.times ?? 1); time += 1) {
        results.push(await postWebhook(webhookUrl, request.headers, request.body))
      }
    }
    posted.push(...results)
    return results
  }

  async function run(message: SimulatedMessage, posts: ScriptedPost[]): Promise<void> {
    const answeredAt = Date.now()
    for (const scripted of posts) {
      const wait = answeredAt + (scripted.after ?? 0) - Date.now()
      if (wait > 0) await delay(wait, undefined, { signal: stop.signal })
      await post(message, scripted)
    }
  }

  function start(message: SimulatedMessage, posts: ScriptedPost[]): void {
    const running = run(message, posts)
      .catch((error: unknown) => {
        if (!stop.signal.aborted) throw error
      })
      .finally(() => scripts.delete(running))
    scripts.add(running)
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const failure = failures.shift()
    if (failure?.kind === 'refused') return void request.destroy()
    const call = await readCall(request)
    requests.push(call)
    if (failure?.kind === 'answer') {
      const { status, headers = {}, body = '' } = failure
      return answerWith(response, { status, headers, body })
    }
    const { answer, message } = await simulator.answer(call, new Date(), told)
    const posts = message ? script(message) : []
    if (message) {
      messages.push(message)
      for (const early of posts.filter((scripted) => scripted.early)) await post(message, early)
    }
    if (failure?.kind === 'cut') request.socket.destroy()
    else if (failure?.kind !== 'silent') answerWith(response, answer)
    if (message)
      start(
        message,
        posts.filter((scripted) => !scripted.early),
      )
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : undefined)
    })
  })
  server.listen(wanted, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0

  return {
    url: `http://127.0.0.1:${port}`,
    messages,
    requests,
    posted,
    failNext: (failure) => void failures.push(failure),
    post,
    async settled() {
      while (scripts.size > 0) await Promise.all(scripts)
    },
    async close() {
      stop.abort()
      await Promise.all(scripts)
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function acceptedAndDelivered({ recipients }: SimulatedMessage): ScriptedPost[] {
  return (['accepted', 'delivered'] as const).map((type) => ({
    events: recipients.map(({ address }) => ({ type, recipient: address })),
  }))
}

async function readCall(request: IncomingMessage): Promise<ApiRequest> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const headers = Object.entries(request.headers).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.join(', ') : value,
  ])
  return {
    method: request.method ?? '',
    path: request.url ?? '',
    headers: Object.fromEntries(headers),
    body: Buffer.concat(chunks),
  }
}

function answerWith(response: ServerResponse, { status, headers, body }: ApiAnswer): void {
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body)
}

async function postWebhook(
  url: string,
  headers: Record<string, string>,
  body: Buffer,
): Promise<PostedWebhook> {
  try {
    const response = await fetch(url, { method: 'POST', headers, body, redirect: 'manual' })
    return { body, status: response.status, answer: await response.text() }
  } catch (error) {
    return { body, status: 0, answer: String(error) }
  }
}
