import { headersByName } from '../../mail-head.js'
import { invalid } from '../../mail-options.js'
import { canonicalAddress, ownIdKey } from '../../matching.js'
import type { Address } from '../../message.js'
import type { OutgoingMail } from '../../provider-client.js'
import { type RecipientData, sameAsAll } from '../../recipient-data.js'
import { type Filling, fillingOf } from './filling.js'
import { carriedHeaders } from './headers.js'
import { reservedKey } from './reserved-keys.js'

export interface Mailbox {
  email: string
  name?: string
}

/** One copy of a message: everybody in it sees those in its `to` and `cc`. */
export interface Personalization extends Filling {
  to: Mailbox[]
  cc?: Mailbox[]
  bcc?: Mailbox[]
  /** Go over those of the message. */
  headers?: Record<string, string>
  custom_args: Record<string, string>
}

/** How many recipients, and so personalizations, one call may have. */
export const mostRecipients = 1000

// The limits of the API reference; its page of errors knows larger ones.
const mostBytes = 10_000

/** What every personalization of a message is made of, beside the message itself. */
export interface PersonalizationStart {
  templateId: string | undefined
  trackingId: string
  /** Those of the message. */
  headers: Record<string, string>
}

/**
 * One personalization for all recipients, or one for each where the message has `recipientData`.
 *
 * @param lost takes the names of headers that it goes without
 */
export function toPersonalizations(
  mail: OutgoingMail,
  { templateId, trackingId, headers }: PersonalizationStart,
  lost: string[],
): Personalization[] {
  const { to, cc, bcc, recipientData, metadata } = mail
  const everybody = [...to, ...cc, ...bcc]
  checkCount(everybody.length)
  const filling = fillingOf('templateData', mail.templateData, templateId)
  if (!recipientData) {
    if (to.length === 0) throw invalid('SendGrid needs at least one recipient in to')
    return [
      {
        to: to.map(mailbox),
        ...(cc.length > 0 && { cc: cc.map(mailbox) }),
        ...(bcc.length > 0 && { bcc: bcc.map(mailbox) }),
        ...checkedFilling(filling),
        custom_args: customArgs(metadata, trackingId),
      },
    ]
  }
  return everybody.map((recipient) => {
    const own = recipientData.get(canonicalAddress(recipient.address)) ?? sameAsAll
    const ownHeaders = headersOf(own, headers, lost)
    return {
      to: [mailbox(recipient)],
      ...(Object.keys(ownHeaders).length > 0 && { headers: ownHeaders }),
      ...checkedFilling(merged(filling, fillingOf('recipientData.data', own.data, templateId))),
      custom_args: customArgs({ ...metadata, ...own.metadata }, trackingId),
    }
  })
}

export function mailbox({ name, address }: Address): Mailbox {
  return { email: address, ...(name !== '' && { name }) }
}

function checkCount(count: number): void {
  if (count > mostRecipients) {
    throw invalid(`SendGrid takes ${mostRecipients} recipients at once, and these are ${count}`)
  }
}

/** SendGrid merges headers name by name, so one that the message has too is spelled as it is there. */
function headersOf(
  { headers: own }: RecipientData,
  headers: Record<string, string>,
  lost: string[],
): Record<string, string> {
  const spelled = new Map(Object.keys(headers).map((name) => [name.toLowerCase(), name]))
  const given = Object.entries(own).map(([name, value]) => ({
    name: spelled.get(name.toLowerCase()) ?? name,
    value,
  }))
  return headersByName(carriedHeaders(given, lost), lost)
}

function merged(all: Filling, own: Filling): Filling {
  const data = { ...all.dynamic_template_data, ...own.dynamic_template_data }
  const substitutions = { ...all.substitutions, ...own.substitutions }
  return {
    ...(Object.keys(data).length > 0 && { dynamic_template_data: data }),
    ...(Object.keys(substitutions).length > 0 && { substitutions }),
  }
}

function checkedFilling(filling: Filling): Filling {
  const size = jsonSize(filling.substitutions ?? {})
  if (size > mostBytes) {
    throw invalid(
      `SendGrid takes ${mostBytes} bytes of templateData as JSON where it fills no dynamic template, and these are ${size}`,
    )
  }
  return filling
}

function customArgs(metadata: Record<string, string>, trackingId: string): Record<string, string> {
  const reserved = Object.keys(metadata).filter(reservedKey)
  if (reserved.length > 0) {
    throw invalid(
      `SendGrid writes ${reserved.join(', ')} into its events itself: give the metadata another name`,
    )
  }
  const args = { ...metadata, [ownIdKey]: trackingId }
  const size = jsonSize(args)
  if (size > mostBytes) {
    throw invalid(
      `SendGrid takes ${mostBytes} bytes of metadata as JSON, and with our id these are ${size}`,
    )
  }
  return args
}

function jsonSize(value: object): number {
  return Buffer.byteLength(JSON.stringify(value))
}
