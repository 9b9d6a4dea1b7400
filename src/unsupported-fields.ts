import { type MailHead, providerWrites } from './mail-head.js'
import { invalid } from './mail-options.js'
import { canonicalAddress } from './matching.js'
import { givenHeaderNames } from './nodemailer-mail.js'
import { type Fields, fields, listOfFields } from './payload.js'

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

/** What a MIME document has no place for either, or Nodemailer does not put into it. */
export const beyondMime: ReadonlySet<string> = new Set(['dsn', 'envelope.from', 'headers'])

/**
 * What the fields that every provider has cannot say, by the name that the caller gave it.
 *
 * @param carried what this provider has more fields for
 */
export function uncarriedFields(
  data: Fields,
  head: MailHead,
  provider: string,
  carried: ReadonlySet<string> = new Set(),
): string[] {
  const names = [
    ...fieldsOfFew.concat(provider).filter((name) => isGiven(data[name])),
    ...['trackOpens', 'trackClicks'].filter((name) => typeof data[name] === 'boolean'),
  ]
  const { dsn } = fields(data['envelope'])
  if (dsn && !names.includes('dsn')) names.push('dsn')
  if (data['envelope']) names.push(...envelopeBeyondHeaders(head))
  // Nodemailer finds nothing in these.
  if (data['headers'] instanceof Map || data['headers'] instanceof Headers) names.push('headers')
  for (const name of givenHeaderNames(data['headers'])) {
    if (providerWrites.test(name)) names.push(`the header ${name}`)
  }
  return [
    ...names.filter((name) => !carried.has(name)),
    ...partsBeyondContent('attachments', data, ['raw', 'headers']),
    ...partsBeyondContent('alternatives', data, ['raw', 'headers', 'filename']),
    ...typesToDetect(data),
    ...['raw', 'headers']
      .filter((name) => isGiven(fields(data['icalEvent'])[name]))
      .map((name) => `icalEvent.${name}`),
    ...namesAndDispositions(data, carried),
  ]
}

const fieldsOfFew = [
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
]

function isGiven(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === '') return false
  return !(Array.isArray(value) && value.length === 0)
}

function partsBeyondContent(list: string, data: Fields, names: string[]): string[] {
  return listOfFields(data[list]).flatMap((part, index) =>
    names.filter((name) => isGiven(part[name])).map((name) => `${list}[${index}].${name}`),
  )
}

/** Nodemailer tells the type of these from their names, and only while it composes a document. */
function typesToDetect(data: Fields): string[] {
  return listOfFields(data['alternatives']).flatMap(({ contentType, path, href }, index) =>
    !contentType && (path || href) ? [`alternatives[${index}].contentType`] : [],
  )
}

function namesAndDispositions(data: Fields, carried: ReadonlySet<string>): string[] {
  return listOfFields(data['attachments']).flatMap((attachment, index) => {
    const { cid, filename, contentDisposition = cid ? 'inline' : 'attachment' } = attachment
    const isInline = contentDisposition === 'inline'
    // What is shown inside the message is what has a cid, and for most nothing else.
    const plain = isInline === Boolean(cid) || (isInline && carried.has('attachments.inline'))
    return [
      ...(filename === false ? [`attachments[${index}].filename`] : []),
      ...(plain ? [] : [`attachments[${index}].contentDisposition`]),
    ]
  })
}

function envelopeBeyondHeaders({ envelope, from, to, cc, bcc }: MailHead): string[] {
  const wanted = new Set(envelope.to.map(canonicalAddress))
  const addressed = [...to, ...cc, ...bcc].map(({ address }) => canonicalAddress(address))
  const sender = canonicalAddress(from[0]?.address ?? '')
  const sameRecipients =
    wanted.size === addressed.length && addressed.every((address) => wanted.has(address))
  const sameSender = envelope.from === false || canonicalAddress(envelope.from) === sender
  return [...(sameRecipients ? [] : ['envelope.to']), ...(sameSender ? [] : ['envelope.from'])]
}
