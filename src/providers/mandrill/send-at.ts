import { invalid } from '../../mail-options.js'

/** The time as Mandrill takes it. */
export function toSendAt(sendAt: Date, now: Date): string {
  const latest = latestSendAt(now)
  if (sendAt > latest) {
    throw invalid(
      `sendAt is ${sendAt.toISOString()}, and Mandrill takes times of up to one year ahead: until ${latest.toISOString()}`,
    )
  }
  return wireTime(sendAt)
}

export function latestSendAt(now: Date): Date {
  const latest = new Date(now)
  latest.setUTCFullYear(latest.getUTCFullYear() + 1)
  return latest
}

/** In UTC, with neither T nor zone nor fraction. */
function wireTime(time: Date): string {
  return time.toISOString().slice(0, 19).replace('T', ' ')
}
