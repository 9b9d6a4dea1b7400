import nodemailer from 'nodemailer'
import { type Correlator, createCorrelator, memoryStore } from '../../../src/index.js'
import {
  mandrillSimulator,
  mandrillTransport,
  mandrillWebhook,
  type MandrillWebhookOptions,
} from '../../../src/providers/mandrill/index.js'
import { sign } from '../../../src/providers/mandrill/signature.js'
import {
  type RunningProvider,
  type ScriptedPost,
  type SimulatedMessage,
  startProvider,
} from '../../../src/testing/index.js'
import type { MailOptions } from '../../../src/transporter.js'
import { startEndpoint } from '../../endpoint.js'
import { collectErrors, collectTold, type Told } from '../../told-events.js'
import { apiKey, closing, mail } from './sending.js'
import { formOf } from './webhook-requests.js'

export interface House {
  correlator: Correlator
  provider: RunningProvider
  told: Told[]
  errors: string[]
  /** The webhook's URL, which is signed. */
  url: string
  send(changes?: MailOptions): Promise<string>
  /** Posts a batch as Mandrill would, by the webhook's key or another. */
  post(batch: unknown, key?: string): Promise<number>
  /** Posts whatever it is, signed. */
  postBody(body: string, headers?: Record<string, string>): Promise<number>
  /** Lets everything be posted and told. */
  settle(): Promise<void>
}

/** A correlator behind a socket, a simulated Mandrill that posts to it, and a transport. */
export async function startHouse(
  script: ScriptedPost[] | ((message: SimulatedMessage) => ScriptedPost[]),
  foreignAfter = 60_000,
  options: Omit<MandrillWebhookOptions, 'key' | 'url'> = {},
): Promise<House> {
  const holder: { correlator?: Correlator } = {}
  const endpoint = closing(
    await startEndpoint((request, response) => holder.correlator?.nodeHandler(request, response)),
  )
  const url = `${endpoint.url}/hooks/mandrill`
  const simulator = mandrillSimulator({ apiKey, webhookUrl: url })
  const correlator = closing(
    createCorrelator({
      store: memoryStore(),
      webhooks: [mandrillWebhook({ ...options, key: [simulator.webhookKey, 'next'], url })],
      foreignAfter,
    }),
  )
  holder.correlator = correlator
  const provider = closing(
    await startProvider(simulator, {
      webhookUrl: url,
      script: typeof script === 'function' ? script : () => script,
    }),
  )
  async function postSigned(
    body: string,
    key = simulator.webhookKey,
    headers: Record<string, string> = {},
  ): Promise<number> {
    const signed = {
      'content-type': 'application/x-www-form-urlencoded',
      'x-mandrill-signature': sign(key, url, new URLSearchParams(body)),
      ...headers,
    }
    return (await fetch(url, { method: 'POST', headers: signed, body })).status
  }
  const transporter = nodemailer.createTransport(
    mandrillTransport({ apiKey, baseUrl: provider.url, correlator }),
  )
  return {
    correlator,
    provider,
    told: collectTold(correlator),
    errors: collectErrors(correlator),
    url,
    send: async (changes) => (await transporter.sendMail(mail(changes))).trackingId,
    post: (batch, key) => postSigned(formOf(batch), key),
    postBody: (body, headers) => postSigned(body, undefined, headers),
    async settle() {
      await provider.settled()
      await correlator.drain()
    },
  }
}

export const ann = 'ann@example.org'
export const bob = 'bob@example.org'
