import type { Correlator } from '../correlator.js'
import type { MessageQuery } from '../questions.js'

/** How long mail took from the send call to the recipient's server, in ms. */
export interface DeliveryTimes {
  /** How many recipients were looked at. */
  recipients: number
  median: number
  percentile95: number
}

/** How many messages are looked at: the latest that were delivered. */
const messagesLookedAt = 200

/** Of the latest messages that were delivered; undefined while there are none. */
export async function readDeliveryTimes(
  correlator: Pick<Correlator, 'find'>,
  query: Pick<MessageQuery, 'from' | 'provider'>,
): Promise<DeliveryTimes | undefined> {
  const { messages } = await correlator.find(
    { ...query, status: 'delivered' },
    { limit: messagesLookedAt },
  )
  const times = messages.flatMap(({ sentAt, recipients }) =>
    recipients.flatMap(({ deliveredAt }) =>
      // Clocks differ: what seems to arrive before it was sent took no time.
      deliveredAt ? [Math.max(deliveredAt.getTime() - sentAt.getTime(), 0)] : [],
    ),
  )
  return deliveryTimes(times)
}

export function deliveryTimes(times: readonly number[]): DeliveryTimes | undefined {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (part: number): number | undefined => sorted[Math.ceil(part * sorted.length) - 1]
  const [median, percentile95] = [at(0.5), at(0.95)]
  if (median === undefined || percentile95 === undefined) return undefined
  return { recipients: sorted.length, median, percentile95 }
}
