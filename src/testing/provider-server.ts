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
import { listenOnLoopback } from './loopback.js'
import { happens } from './scripts.js'
import { type PostedWebhook, postUntilTaken } from './webhook-posting.js'

/** One webhook that a provider posts about a message; Mailgun posts one for each event of it. */
export interface ScriptedPost {
  events: SimulatedEvent[]
  /** How long after the API's answer, in ms; default 0, and posts keep their order. */
  after?: number
  /** Before the API answers: the answer waits until the webhook was taken. */
  early?: boolean
  /** How often the very same request is posted; default once. */
  times?: number
  /** How long before it is posted its events have happened, in ms; default 0. */
  ago?: number
  /** Signed with another key, as by somebody else. */
  forged?: boolean
}

/** What becomes of a message. */
export type Script = (message: SimulatedMessage) => ScriptedPost[]

/** How an API call fails in place of its answer. */
export type ApiFailure =
  | { kind: 'answer'; status: number; headers?: Record<string, string>; body?: string }
  /** The call is taken, and the connection breaks before the answer. */
  | { kind: 'cut' }
  /** The connection breaks before the call is read. */
  | { kind: 'refused' }
  /** The call is taken, and no answer comes. */
  | { kind: 'silent' }

/** What a simulated provider does with messages, and where it is. */
export interface StartOptions {
  /** Where webhooks are posted to; without it nothing is posted, and events happen all the same. */
  webhookUrl?: string
  /** What becomes of a message; by default it is accepted and delivered. */
  script?: Script
  /**
   * How many times faster than the real provider it posts again what was not taken: with 60,000 a minute of
   * its schedule is a millisecond. By default nothing is posted again.
   */
  retrySpeed?: number
  /** Where it listens; a free port by default. */
  port?: number
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
  /** Lets every API call fail until the function that it returns is called; by default with 503. */
  startOutage(failure?: ApiFailure): () => void
  /** Posts a webhook about a message, outside the script; resolves when it was answered. */
  post(message: SimulatedMessage, post: ScriptedPost): Promise<PostedWebhook[]>
  /** Resolves when everything scripted was posted and answered. */
  settled(): Promise<void>
  /** Stops what is scripted and still to come, and listens no more. */
  close(): Promise<void>
}

/**
 * Serves a simulated provider on a free port of this machine.
 *
 * ```ts
 * const simulator = sendgridSimulator({ apiKey: 'SG.key' })
 * const provider = await startProvider(simulator, { webhookUrl: 'http://127.0.0.1:3000/sendgrid' })
 * const transport = sendgridTransport({ apiKey: 'SG.key', baseUrl: provider.url, correlator })
 * ```
 */
export async function startProvider(
  simulator: ProviderSimulator,
  {
    webhookUrl,
    script = happens('accepted', 'delivered'),
    retrySpeed,
    port: wanted = 0,
  }: StartOptions = {},
): Promise<RunningProvider> {
  const messages: SimulatedMessage[] = []
  const requests: ApiRequest[] = []
  const posted: PostedWebhook[] = []
  const told: ToldEvent[] = []
  const tellings = new WeakMap<SimulatedMessage, Map<SimulatedEvent, ToldEvent>>()
  const failures: ApiFailure[] = []
  let outage: ApiFailure | undefined
  const scripts = new Set<Promise<void>>()
  const stop = new AbortController()

  /** The entry for an event: that of the fact which it repeats, where it does. */
  function entryOf(
    message: SimulatedMessage,
    event: SimulatedEvent,
    happened: Date,
    now: Date,
  ): unknown {
    const known = tellings.get(message) ?? new Map<SimulatedEvent, ToldEvent>()
    tellings.set(message, known)
    const first = event.repeats && known.get(event.repeats.event)
    if (first && !event.repeats?.underOtherId) {
      known.set(event, first)
      return first.entry
    }
    const at = event.at ?? first?.at ?? happened
    const whole = simulator.entry(message, { ...event, at }, now)
    const entry = event.change ? event.change(whole) : whole
    const telling = { message, event, entry, at }
    told.push(telling)
    known.set(event, telling)
    return entry
  }

  async function post(message: SimulatedMessage, scripted: ScriptedPost): Promise<PostedWebhook[]> {
    const now = new Date()
    const happened = new Date(now.getTime() - (scripted.ago ?? 0))
    const entries = scripted.events.map((event) => entryOf(message, event, happened, now))
    if (webhookUrl === undefined) return []
    const results: PostedWebhook[] = []
    for (const request of simulator.webhooks(entries, now, scripted.forged)) {
      for (let time = 0; time < (scripted.times ?? 1); time += 1) {
        const coming = { schedule: simulator.retries, speed: retrySpeed, signal: stop.signal }
        const each = await postUntilTaken(webhookUrl, request, coming)
        posted.push(...each)
        results.push(...each)
      }
    }
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
    const failure = failures.shift() ?? outage
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
  const port = await listenOnLoopback(server, wanted)

  return {
    url: `http://127.0.0.1:${port}`,
    messages,
    requests,
    posted,
    failNext: (failure) => void failures.push(failure),
    startOutage(failure = { kind: 'answer', status: 503 }) {
      outage = failure
      return () => {
        outage = undefined
      }
    },
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
