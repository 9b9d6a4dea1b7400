import { canonicalAddress, rfcMessageId } from './matching.js'
import type { Address, Envelope, RecipientKind } from './message.js'
import type { NodemailerMail } from './nodemailer-mail.js'
import { fields, isFields, text } from './payload.js'

/** A header as it is to be sent. */
export interface Header {
  name: string
  /** In ASCII as it goes on the wire, unfolded. */
  value: string
}

/** Who and what a message speaks of: what is known before its content is read. */
export interface MailHead {
  envelope: Envelope
  /** With its `<>`; empty when it was given as something else. */
  messageId: string
  from: Address[]
  replyTo: Address[]
  /** No address stands in more than one of these, or twice. */
  to: Address[]
  cc: Address[]
  bcc: Address[]
  subject?: string
  /** Every other header. */
  headers: Header[]
}

/** The head of a message that cannot be read. */
export const emptyHead: MailHead = {
  envelope: { from: false, to: [] },
  messageId: '',
  from: [],
  replyTo: [],
  to: [],
  cc: [],
  bcc: [],
  headers: [],
}

export function mailHead({ data, message }: NodemailerMail): MailHead {
  const addresses = fields(message.getAddresses())
  const subject = headerText(message.getHeader('subject'))
  const seen = new Set<string>()
  // SendGrid refuses an address that stands in two places, and no mailbox wants a copy of each.
  const unique = (kind: RecipientKind): Address[] =>
    mailboxes(addresses[kind]).filter(({ address }) => {
      const key = canonicalAddress(address)
      return !seen.has(key) && seen.add(key)
    })
  const [from, to, cc, bcc] = [
    mailboxes(addresses['from']),
    unique('to'),
    unique('cc'),
    unique('bcc'),
  ]
  return {
    envelope: fields(data)['envelope']
      ? envelopeOf(message)
      : {
          from: from[0]?.address ?? false,
          to: [...to, ...cc, ...bcc].map(({ address }) => address),
        },
    messageId: checkedMessageId(message.messageId()),
    from,
    replyTo: mailboxes(addresses['reply-to']),
    to,
    cc,
    bcc,
    ...(subject !== undefined && { subject }),
    headers: otherHeaders(message),
  }
}

/** The one that the caller gave. */
function envelopeOf(message: NodemailerMail['message']): Envelope {
  const { from, to } = message.getEnvelope()
  return { from, to: [...to] }
}

function otherHeaders(message: NodemailerMail['message']): Header[] {
  // Writing all headers costs as much as the rest of the head, and most messages have no others.
  const given: unknown = Reflect.get(message, '_headers')
  const names = Array.isArray(given) ? given.map((header) => text(fields(header)['key'])) : ['']
  if (names.every((name) => name !== undefined && isFieldOfItsOwn(name))) return []
  return readHeaders(message.buildHeaders()).filter(({ name }) => !isFieldOfItsOwn(name))
}

/** The headers of a block, in their order, unfolded. */
export function readHeaders(block: string): Header[] {
  return block.split(/\r?\n(?![ \t])/).flatMap((line) => {
    const colon = line.indexOf(':')
    if (colon < 1) return []
    const value = line.slice(colon + 1).replace(/\r?\n[ \t]+/g, ' ')
    return [{ name: line.slice(0, colon).trim(), value: value.trim() }]
  })
}

/** It may come as a number, or in the form of a header that is written as it is. */
function checkedMessageId(given: unknown): string {
  const id = rfcMessageId(text(isFields(given) ? given['value'] : given) ?? '') ?? ''
  return /^<[^<>\s]+>$/.test(id) ? id : ''
}

/** The headers as an object, which holds each name once; the names of others go to `lost`. */
export function headersByName(headers: readonly Header[], lost: string[]): Record<string, string> {
  const byName = new Map<string, Header>()
  for (const header of headers) {
    const known = byName.get(header.name.toLowerCase())
    if (!known) byName.set(header.name.toLowerCase(), header)
    else if (known.value !== header.value) lost.push(`a second ${header.name} header`)
  }
  return Object.fromEntries([...byName.values()].map(({ name, value }) => [name, value]))
}

function mailboxes(value: unknown): Address[] {
  const entries = Array.isArray(value) ? value : []
  return entries.map(fields).flatMap(({ name, address }) => {
    if (typeof address !== 'string' || address === '') return []
    return [{ name: oneLine(text(name) ?? ''), address }]
  })
}

function headerText(value: unknown): string | undefined {
  const content = isFields(value) ? value['value'] : value
  return typeof content === 'string' ? oneLine(content) : undefined
}

/** What follows a line break would be a header of its own. */
function oneLine(value: string): string {
  return value.replace(/\s*[\r\n]+\s*/g, ' ').trim()
}

/** The provider composes these headers, whatever a message says. */
export const providerWrites =
  /^(?:date|mime-version|content-(?:type|transfer-encoding|disposition|id))$/i

const isFieldOfItsOwn = (name: string): boolean =>
  providerWrites.test(name) || /^(?:from|to|cc|bcc|subject|reply-to|message-id)$/i.test(name)
