import type { Header } from '../../mail-head.js'

// Refused whatever their value is, or of no effect here (X-SMTPAPI is SMTP's, Return-Path is
// SendGrid's own); the rest of SendGrid's list has fields of its own.
const uncarried = new Set([
  'x-sg-id',
  'x-sg-eid',
  'received',
  'dkim-signature',
  'x-smtpapi',
  'return-path',
])

/** The headers that SendGrid takes; the names of the others go to `lost`. */
export function carriedHeaders(headers: readonly Header[], lost: string[]): Header[] {
  return headers.filter(({ name }) => {
    const carried = !uncarried.has(name.toLowerCase())
    if (!carried) lost.push(`the header ${name}`)
    return carried
  })
}
