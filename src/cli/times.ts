import { UsageError } from '../errors.js'

const units: Readonly<Record<string, number>> = {
  m: 60_000,
  h: 3600_000,
  d: 24 * 3600_000,
  w: 7 * 24 * 3600_000,
  y: 365 * 24 * 3600_000,
}

/** What is read as a date: `new Date` takes `49` for the year 2049. */
const aDate = /^\d{4}-\d\d-\d\d/

/**
 * A time as people write it: `90d` ago, or a date.
 *
 * @throws UsageError for what is neither
 */
export function timeIn(written: string, now: Date): Date {
  const [, count = '', unit = ''] = /^(\d+)([mhdwy])$/.exec(written) ?? []
  const milliseconds = units[unit]
  const time =
    milliseconds === undefined
      ? new Date(aDate.test(written) ? written : NaN)
      : new Date(now.getTime() - Number(count) * milliseconds)
  if (!Number.isNaN(time.getTime())) return time
  throw new UsageError(
    `${JSON.stringify(written)} is no time: write 30m, 12h, 90d, 2w or 1y for a time ago, or a date such as 2026-01-31T12:00:00Z`,
  )
}
