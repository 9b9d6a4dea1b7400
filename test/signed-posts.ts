import type { Correlator } from '../src/index.js'
import { sendgridSimulator, sendgridWebhook } from '../src/providers/sendgrid/index.js'

const simulator = sendgridSimulator({ apiKey: 'SG.x' })

export const { publicKey } = simulator

/** The webhook whose signed requests these are. */
export const signedWebhook = () => sendgridWebhook({ publicKey })

/** The address of an event of a message: each of its events is of another recipient. */
export const addressOf = (name: string, index: number): string => `${name}-${index}@example.com`

/** Records a message with room for so many events, under its name as the provider's id. */
export async function recordNamed(
  correlator: Pick<Correlator, 'record'>,
  name: string,
  events: number,
): Promise<string> {
  const recipients = Array.from({ length: events }, (_, index) => addressOf(name, index))
  return correlator.record({ provider: 'sendgrid', providerMessageId: name, recipients })
}

export interface SignedPost {
  headers: Record<string, string>
  body: string | Buffer
}

/** What SendGrid posts when these events of messages have happened. */
export function signedPost(...events: readonly [name: string, index: number][]): SignedPost {
  const now = new Date()
  const entries = events.map(([name, index]) => {
    const message = { id: name, recipients: [], subject: '', metadata: {}, tags: [] }
    const recipient = addressOf(name, index)
    return simulator.entry(
      { ...message, messageId: name, request: null },
      { type: 'delivered', recipient },
      now,
    )
  })
  const [request] = simulator.webhooks(entries, now)
  if (!request) throw new Error('there is one')
  return request
}

/** Posts it to a handler in this process, and gives the status of the answer. */
export async function postTo(
  { handler }: Pick<Correlator, 'handler'>,
  { headers, body }: SignedPost,
): Promise<number> {
  const request = new Request('https://example.com/sendgrid', { method: 'POST', headers, body })
  return (await handler(request)).status
}
