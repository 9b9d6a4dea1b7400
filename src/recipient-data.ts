import { isPlain } from './deep-merge.js'
import { providerWrites } from './mail-head.js'
import { checkedMetadata, invalid } from './mail-options.js'
import { canonicalAddress } from './matching.js'
import type { NodemailerMail } from './nodemailer-mail.js'
import { type Fields, fields } from './payload.js'

/** What differs in the message of one recipient. */
export interface RecipientData {
  /** Goes over `templateData`. */
  data: Fields
  /** Goes over `metadata`. */
  metadata: Record<string, string>
  /** In ASCII as they go on the wire. */
  headers: Record<string, string>
}

/** By canonical address. Its presence means that every recipient gets a message of its own. */
export type RecipientDataByAddress = ReadonlyMap<string, RecipientData>

/** Of a recipient that nothing differs for. */
export const sameAsAll: RecipientData = { data: {}, metadata: {}, headers: {} }

/**
 * The option `recipientData`.
 *
 * @param recipients everybody that the message goes to
 * @throws SendError for an address that is none of them, and for what must not differ
 */
export function checkedRecipientData(
  { data: mail, message }: NodemailerMail,
  recipients: readonly string[],
): RecipientDataByAddress | undefined {
  const { recipientData } = fields(mail)
  if (recipientData === undefined || recipientData === null) return undefined
  if (!isPlain(recipientData)) throw invalid('recipientData must be an object, by address')
  const known = new Set(recipients.map(canonicalAddress))
  return new Map(
    Object.entries(recipientData).map(([address, given]) => {
      const canonical = canonicalAddress(address)
      if (!known.has(canonical)) {
        throw invalid(
          `recipientData speaks of somebody who is no recipient: ${place(recipientData, address)}`,
        )
      }
      if (!isPlain(given)) throw invalid('recipientData must hold an object for each address')
      return [canonical, readEntry(given, message)]
    }),
  )
}

/** Errors go to logs, and addresses must not. */
const place = (entries: Fields, address: string): string =>
  `its entry ${Object.keys(entries).indexOf(address) + 1}`

function readEntry(entry: Fields, message: NodemailerMail['message']): RecipientData {
  const { data = {}, metadata, headers = {}, ...others } = entry
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) {
    throw invalid(
      `recipientData takes data, metadata and headers for an address, and not ${unknown}`,
    )
  }
  if (!isPlain(data)) throw invalid('recipientData must have an object as data')
  if (!isPlain(headers)) throw invalid('recipientData must have an object as headers')
  const names = Object.keys(headers).map((name) => name.toLowerCase())
  const twice = names.find((name, index) => names.indexOf(name) < index)
  if (twice !== undefined) throw invalid(`recipientData has the header ${twice} twice`)
  return {
    data,
    metadata: checkedMetadata({ metadata }),
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, headerValue(name, value, message)]),
    ),
  }
}

// They are composed, or say who the message goes to.
const notForOne =
  /^(?:from|sender|to|cc|bcc|subject|reply-to|message-id|return-path|received|dkim-signature)$/i

function headerValue(name: string, value: unknown, message: NodemailerMail['message']): string {
  if (!/^[!-9;-~]+$/.test(name)) {
    throw invalid(`recipientData has a header whose name is none: ${JSON.stringify(name)}`)
  }
  if (notForOne.test(name) || providerWrites.test(name)) {
    throw invalid(`recipientData cannot change the header ${name}`)
  }
  if (typeof value !== 'string' || /[\r\n]/.test(value)) {
    throw invalid(`recipientData must have one line of text as the header ${name}`)
  }
  return message.encodeHeaderValue(name, value)
}
