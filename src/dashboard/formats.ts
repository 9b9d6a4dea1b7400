import type { Address } from '../message.js'
import { html, type Html } from './html.js'

const counts = new Intl.NumberFormat('en')
const shares = new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 1 })
const smallShares = new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 2 })

export function count(value: number): string {
  return counts.format(value)
}

/** A part from 0 to 1 as a percentage; a dash where there is nothing that it is a part of. */
export function share(part: number | undefined): string {
  if (part === undefined) return '–'
  return part > 0 && part < 0.01 ? smallShares.format(part) : shares.format(part)
}

/** @param length in ms */
export function duration(length: number): string {
  if (length < 1000) return `${Math.round(length)}\u00a0ms`
  if (length < 60_000) return `${(length / 1000).toFixed(length < 10_000 ? 1 : 0)}\u00a0s`
  if (length < 3600_000) return `${(length / 60_000).toFixed(length < 600_000 ? 1 : 0)}\u00a0min`
  if (length < 48 * 3600_000) return `${(length / 3600_000).toFixed(1)}\u00a0h`
  return `${Math.round(length / (24 * 3600_000))}\u00a0days`
}

/** A moment as people read it, in UTC; machines read the attribute. */
export function moment(time: Date): Html {
  const iso = time.toISOString()
  return html`<time datetime="${iso}">${iso.slice(0, 10)} ${iso.slice(11, 19)}</time>`
}

/** A mailbox for people: for headers there is `formatMailbox`, with its quotes. */
export function mailbox({ name, address }: Address): string {
  return name === '' ? address : `${name} <${address}>`
}

export function day(time: Date): string {
  return time.toISOString().slice(0, 10)
}
