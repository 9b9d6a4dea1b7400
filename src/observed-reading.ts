import { KeySourceError, messageOf, type RefusalReason, StoreError } from './errors.js'
import type { Observing } from './observing.js'
import type { Refusal, Webhook, WebhookReading } from './provider.js'

/** Has a request verified and read, and observers told what became of that. */
export async function observedReading(
  observing: Observing,
  { name, provider }: Pick<Webhook, 'name' | 'provider'>,
  read: () => Promise<WebhookReading>,
): Promise<WebhookReading> {
  const activity = { kind: 'verify', webhook: name, provider } as const
  const observed = observing.begin(activity)
  if (!observed) return read()
  let reason: RefusalReason | undefined = 'unexpected'
  try {
    const reading = await observed.run(read)
    reason = reading.kind === 'refused' ? reading.reason : undefined
    return reading
  } catch (error) {
    reason = ourFailure(error).reason
    throw error
  } finally {
    observed.end({ ...activity, ...(reason && { reason }) })
  }
}

/** Reading failed, which is no fault of the caller; what the store says is another matter. */
export function ourFailure(error: unknown): Refusal {
  if (error instanceof StoreError) throw error
  const reason = error instanceof KeySourceError ? error.reason : 'unexpected'
  return { kind: 'refused', reason, detail: messageOf(error) }
}
