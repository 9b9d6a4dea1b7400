import { invalid } from './mail-options.js'
import { canonicalAddress } from './matching.js'
import { type Fields, fields } from './payload.js'
import { type MailHead, providerWrites } from './resolved-mail.js'

/** What is done about fields that a provider cannot carry. */
export type UnsupportedPolicy = 'throw' | 'warn' | 'ignore'

/** Applies the policy to what would be lost. Nothing is dropped in silence unless it was asked for. */
export function refuseLoss(provider: string, lost: string[], policy: UnsupportedPolicy): void {
  if (lost.length === 0 || policy === 'ignore') return
  const message = `the ${provider} transport cannot carry ${lost.join(', ')}`
  if (policy === 'warn') {
    process.emitWarning(`${message}: the message goes without`, 'MailtrailWarning')
    return
  }
  throw invalid(`${message}: leave it out, or send without it with unsupported: 'warn' or 'ignore'`)
}

/** What no provider's fields can say yet, by the name that the caller gave it. */
export function uncarriedFields(
  data: Fields,
  head: MailHead,
  provider: string,
  carried: ReadonlySet<string> = new Set(),
): string[] {
  const present = unmappedFields.concat(provider).filter((name) => {
    const value = data[name]
    if (carried.has(name)) return false
    return value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0)
  })
  const { dsn, size } = fields(data['envelope'])
  if (data['envelope'] && (dsn || size || !envelopeFollowsHeaders(head))) present.push('envelope')
  // Nodemailer finds nothing in these.
  if (data['headers'] instanceof Map || data['headers'] instanceof Headers) present.push('headers')
  for (const name of headerNames(data['headers'])) {
    if (providerWrites.test(name)) present.push(`the header ${name}`)
  }
  const attachments = Array.isArray(data['attachments']) ? data['attachments'] : []
  attachments.map(fields).forEach((attachment, index) => {
    const lost = ['raw', 'headers'].filter((name) => attachment[name] !== undefined)
    if (attachment['filename'] === false) lost.push('filename')
    // What is shown inside the message is what has a cid, and nothing else.
    const { cid, contentDisposition = cid ? 'inline' : 'attachment' } = attachment
    if ((contentDisposition === 'inline') !== Boolean(cid)) lost.push('contentDisposition')
    present.push(...lost.map((name) => `attachments[${index}].${name}`))
  })
  return present
}

const unmappedFields = [
  'dsn',
  'raw',
  'alternatives',
  'amp',
  'watchHtml',
  'icalEvent',
  'dkim',
  'date',
  'templateId',
  'templateData',
  'recipientData',
  'sendAt',
  'trackOpens',
  'trackClicks',
]

/** The names in any form that Nodemailer takes headers in. */
function headerNames(headers: unknown): string[] {
  if (Array.isArray(headers)) return headers.map((header) => String(fields(header)['key']))
  return Object.keys(fields(headers))
}

function envelopeFollowsHeaders({ envelope, from, to, cc, bcc }: MailHead): boolean {
  const wanted = new Set(envelope.to.map(canonicalAddress))
  const addressed = [...to, ...cc, ...bcc].map(({ address }) => canonicalAddress(address))
  const sender = from[0]?.address ?? ''
  return (
    wanted.size === addressed.length &&
    addressed.every((address) => wanted.has(address)) &&
    (envelope.from === false || canonicalAddress(envelope.from) === canonicalAddress(sender))
  )
}
