import { canonicalAddress, rfcMessageId } from './matching.js'
import type { Address, Envelope, RecipientKind } from './message.js'
import type { NodemailerMail } from './nodemailer-mail.js'
import { fields, isFields, text } from './payload.js'

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

export function mailHead({ message }: NodemailerMail): MailHead {
  const addresses = fields(message.getAddresses())
  const { from, to } = message.getEnvelope()
  const subject = headerText(message.getHeader('subject'))
  const seen = new Set<string>()
  // SendGrid refuses an address that stands in two places, and no mailbox wants a copy of each.
  const unique = (kind: RecipientKind): Address[] =>
    mailboxes(addresses[kind]).filter(({ address }) => {
      const key = canonicalAddress(address)
      return !seen.has(key) && seen.add(key)
    })
  return {
    envelope: { from, to: [...to] },
    messageId: checkedMessageId(message.messageId()),
    from: mailboxes(addresses['from']),
    replyTo: mailboxes(addresses['reply-to']),
    to: unique('to'),
    cc: unique('cc'),
    bcc: unique('bcc'),
    ...(subject !== undefined && { subject }),
    headers: readHeaders(message.buildHeaders()).filter(
      ({ name }) => !carriedElsewhere.test(name) && !providerWrites.test(name),
    ),
  }
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

// These have fields of their own.
const carriedElsewhere = /^(?:from|to|cc|bcc|subject|reply-to|message-id)$/i
