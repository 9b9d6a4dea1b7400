import type { Alarm } from '../alarms.js'
import type { Correlator } from '../correlator.js'

/** How many messages that failed and must not have are kept, and for how long, in ms: nothing ends these alarms. */
const mostCritical = 20
const longestCritical = 24 * 3600_000

export interface CurrentAlarms {
  /** Those that are raised now, the latest first. */
  list(): readonly Alarm[]
  close(): void
}

/** Keeps in mind which alarms of this process are raised. */
export function watchAlarms(correlator: Pick<Correlator, 'on'>): CurrentAlarms {
  const raised = new Map<string, Alarm>()
  const stop = correlator.on('alarm', (alarm) => {
    const key = keyOf(alarm)
    raised.delete(key)
    if (alarm.state === 'raised') raised.set(key, alarm)
    const critical = [...raised].filter(([, { kind }]) => kind === 'critical-message')
    const [oldest] = critical
    if (oldest && critical.length > mostCritical) raised.delete(oldest[0])
  })
  const isNow = (alarm: Alarm): boolean =>
    alarm.kind !== 'critical-message' ||
    Date.now() - alarm.message.sentAt.getTime() < longestCritical
  return { list: () => [...raised.values()].filter(isNow).toReversed(), close: stop }
}

function keyOf(alarm: Alarm): string {
  return alarm.kind === 'critical-message'
    ? `${alarm.kind} ${alarm.message.trackingId}`
    : `${alarm.kind} ${alarm.provider}`
}
