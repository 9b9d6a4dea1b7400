import { StoreError } from './errors.js'
import type { Delivery, Store } from './store.js'

/** Events that are leased to who tells them. */
export interface LeasedEvents {
  /** Those that are still the owner's, and not done. */
  readonly open: ReadonlyMap<string, Delivery>
  done(eventId: string): void
  /** Prolongs the leases of what is open, and by how much more than usual, in ms. */
  prolong(more?: number): Promise<void>
  /** Prolongs them where that is late: a process that was held up may have lost them to others. */
  makeSure(): Promise<void>
  /** They are not prolonged by themselves any more. */
  stop(): void
}

/** Keeps events leased that have just been, for so many ms each time. */
export function keepLeased(
  store: Pick<Store, 'renew'>,
  owner: string,
  deliveries: readonly Delivery[],
  duration: number,
  report: (error: StoreError) => void,
): LeasedEvents {
  const open = new Map(deliveries.map((delivery) => [delivery.event.id, delivery]))
  let leasedAt = Date.now()

  async function prolong(more = 0): Promise<void> {
    const now = Date.now()
    try {
      const lost = await store.renew([...open.keys()], { owner, until: now + duration + more })
      for (const id of lost) open.delete(id)
    } catch (error) {
      throw new StoreError('prolonging leases', error)
    }
    leasedAt = now
  }

  const timer = setInterval(() => void prolong().catch(report), duration / 3).unref()

  return {
    open,
    done: (eventId) => void open.delete(eventId),
    prolong,
    async makeSure() {
      if (Date.now() - leasedAt > duration / 2) await prolong()
    },
    stop: () => clearInterval(timer),
  }
}
