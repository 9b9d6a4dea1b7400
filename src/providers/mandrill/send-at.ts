import { invalid } from '../../mail-options.js'

/**
 * The time as Mandrill takes it.
 *
 * @param now in ms since 1970
 */
export function toSendAt(sendAt: Date, now: number): string {
  const latest = latestSendAt(now)
  if (sendAt > latest) {
    throw invalid(
      `sendAt is ${sendAt.toISOString()}, and Mandrill takes times of up to one year ahead: until ${latest.toISOString()}`,
    )
  }
  return wireTime(sendAt)
}

export function latestSendAt(now: number): Date {
  const latest = new Date(now)
  latest.setUTCFullYear(latest.getUTCFullYear() + 1)
  return latest
}

/** In UTC, with neither T nor zone nor fraction. */
export function wireTime(time: Date): string {
  return time.toISOString().slice(0, 19).replace('T', ' ')
}
