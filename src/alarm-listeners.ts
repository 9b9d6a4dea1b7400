import type { AlarmOptions } from './alarm-conditions.js'
import { type Alarm, type Alarms, createAlarms } from './alarms.js'
import type { StoreError } from './errors.js'
import { checkListener } from './listeners.js'
import { type MessageRecord, toSentMessage } from './message.js'
import type { AlarmFact } from './observer.js'
import type { Observing } from './observing.js'
import type { Store } from './store.js'

/** Called when an alarm is raised, and when it is over. What it throws is a process warning. */
export type AlarmListener = (alarm: Alarm) => unknown

export interface AlarmListeners {
  /** The returned function ends it. */
  on(listener: AlarmListener): () => void
  off(listener: unknown): void
  /** Takes note of what became of a message. */
  sent(record: MessageRecord): void
  close(): void
}

/** Watches as long as somebody listens. */
export function createAlarmListeners(
  store: Pick<Store, 'counts'>,
  options: AlarmOptions,
  report: (error: StoreError) => void,
  observing: Observing,
): AlarmListeners {
  const listeners = new Set<AlarmListener>()
  let alarms: Alarms | undefined

  const tell = async (alarm: Alarm): Promise<void> => {
    observing.notice(toWarning(alarm))
    const told = await Promise.allSettled([...listeners].map(async (listener) => listener(alarm)))
    const failure = told.find((result) => result.status === 'rejected')
    if (failure) throw failure.reason
  }

  function remove(listener: AlarmListener): void {
    listeners.delete(listener)
    if (listeners.size > 0) return
    alarms?.close()
    alarms = undefined
  }

  return {
    on(listener) {
      checkListener(listener)
      listeners.add(listener)
      alarms ??= createAlarms({ store, options, tell, report })
      return () => remove(listener)
    },
    off(listener) {
      for (const known of listeners) if (known === listener) remove(known)
    },
    sent(record) {
      alarms?.sent(toSentMessage(record))
    },
    close() {
      alarms?.close()
      listeners.clear()
    },
  }
}

function toWarning(alarm: Alarm): AlarmFact {
  const { kind, state } = alarm
  if (kind !== 'critical-message') {
    return { kind: 'alarm', alarm: kind, state, provider: alarm.provider }
  }
  const { provider, trackingId } = alarm.message
  return { kind: 'alarm', alarm: kind, state, provider, trackingId }
}
