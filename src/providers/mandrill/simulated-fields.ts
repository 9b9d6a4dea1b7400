import { fields, text } from '../../payload.js'

export const isAddress = (value: unknown): boolean => /^[^@\s]+@[^@\s]+$/.test(text(value) ?? '')

export function textsByName(values: unknown): Record<string, string> {
  const entries = Object.entries(fields(values))
  return Object.fromEntries(entries.map(([name, value]) => [name, text(value) ?? '']))
}

/** A time as Mandrill's API writes it, in UTC. */
export function timeOf(value: unknown): Date | undefined {
  const written = text(value) ?? ''
  if (!/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(written)) return undefined
  const time = new Date(`${written.replace(' ', 'T')}Z`)
  return Number.isNaN(time.getTime()) ? undefined : time
}
