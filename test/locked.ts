import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import { createCorrelator, type Store } from '../src/index.js'
import { outsideWebhook, postEntries } from './outside-provider.js'

/** What a webhook was answered while its store was locked, and when it was sent again afterwards. */
export interface LockedAnswers {
  locked: number
  /** How long the answer took, in ms. */
  took: number
  again: number
  /** How many events the message has in the end. */
  events: number
}

/**
 * Posts a webhook over HTTP while somebody else holds what its store needs, and once more when that
 * is free again.
 *
 * @param lock takes what the store needs and resolves to what gives it back
 */
export async function answersWhileLocked(
  store: Store,
  lock: () => Promise<() => Promise<void>>,
): Promise<LockedAnswers> {
  const correlator = createCorrelator({ store, webhooks: [outsideWebhook()] })
  correlator.onError(() => {})
  const recipients = ['ann@example.com']
  const message = { provider: 'outside', providerMessageId: 'm-1', recipients }
  const trackingId = await correlator.record(message)
  const server = createServer(correlator.nodeHandler).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${portOf(server)}/outside`
  const entries = [{ type: 'delivered', at: 1_760_000_000, to: recipients[0], message: 'm-1' }]
  const unlock = await lock()
  const began = performance.now()
  const { status: locked } = await postEntries(url, entries)
  const took = performance.now() - began
  await unlock()
  const { status: again } = await postEntries(url, entries)
  const { events = [] } = (await correlator.message(trackingId)) ?? {}
  server.closeAllConnections()
  server.close()
  await correlator.close()
  return { locked, took, again, events: events.length }
}

function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('it has no port')
  return address.port
}
