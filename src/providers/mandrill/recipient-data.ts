import type { Header } from '../../mail-head.js'
import { invalid } from '../../mail-options.js'
import { canonicalAddress } from '../../matching.js'
import type { Address } from '../../message.js'
import type { Fields } from '../../payload.js'
import { inBatches, type OutgoingMail } from '../../provider-client.js'
import { type RecipientDataByAddress, sameAsAll } from '../../recipient-data.js'
import { checkedMetadata, refuseUnwritable } from './limits.js'
import type { MandrillVariable } from './mail-options.js'
import { mergeVars } from './merge-vars.js'
import type { OwnFields } from './own-fields.js'

/** What of a message differs from recipient to recipient. */
export interface ToEach {
  preserve_recipients: false
  merge_vars?: { rcpt: string; vars: MandrillVariable<unknown>[] }[]
  recipient_metadata?: { rcpt: string; values: Record<string, string> }[]
}

/** What is the same for all recipients of a message. */
export interface ToAll {
  /** With our id. */
  metadata: Record<string, string>
  vars: readonly MandrillVariable<unknown>[]
  own: OwnFields
}

/** Gives every recipient a mail of its own, with its data over that of all. */
export function toEach(
  { to, cc, bcc }: Pick<OutgoingMail, 'to' | 'cc' | 'bcc'>,
  recipientData: RecipientDataByAddress,
  toAll: ToAll,
): ToEach {
  const { preserve_recipients: preserved } = toAll.own.message
  // Null would leave it to a setting of the account.
  if (preserved !== undefined && preserved !== false) {
    throw invalid(
      'mandrill.message.preserve_recipients can only be false together with recipientData, which gives each recipient a mail of its own',
    )
  }
  const everybody = [...to, ...cc, ...bcc].map(({ address }) => {
    const { data, metadata } = recipientData.get(canonicalAddress(address)) ?? sameAsAll
    checkedMetadata({ ...toAll.metadata, ...metadata }, ' of one recipient')
    return { rcpt: address, vars: varsOf(data, toAll), values: metadata }
  })
  const filled = everybody.filter(({ vars }) => vars.length > 0)
  const marked = everybody.filter(({ values }) => Object.keys(values).length > 0)
  return {
    preserve_recipients: false,
    ...(filled.length > 0 && { merge_vars: filled.map(({ rcpt, vars }) => ({ rcpt, vars })) }),
    ...(marked.length > 0 && {
      recipient_metadata: marked.map(({ rcpt, values }) => ({ rcpt, values })),
    }),
  }
}

function varsOf(data: Fields, toAll: ToAll): MandrillVariable<unknown>[] {
  refuseUnwritable('recipientData', data)
  const vars = mergeVars('recipientData.data', data, toAll.own.message['merge_language'])
  const names = new Map(toAll.vars.map(({ name }) => [name.toLowerCase(), name]))
  for (const { name } of vars) {
    const twin = names.get(name.toLowerCase()) ?? name
    if (twin !== name) {
      throw invalid(
        `Mandrill takes templateData.${twin} and recipientData.data.${name} for the same`,
      )
    }
  }
  return vars
}

// Mandrill names no limit; this keeps a call, and what is lost with it, small.
const mostRecipients = 1000

/** The calls that a message takes, one at least: headers are the same for all recipients of a call. */
export function callsOf(mail: OutgoingMail): OutgoingMail[] {
  const calls = byHeaders(mail).flatMap((group) => inBatches(group, mostRecipients))
  return calls.length > 0 ? calls : [mail]
}

/** The message in several, the recipients of each of which get the same headers. */
function byHeaders(mail: OutgoingMail): OutgoingMail[] {
  const groups = new Map<string, OutgoingMail & Record<'to' | 'cc' | 'bcc', Address[]>>()
  for (const kind of ['to', 'cc', 'bcc'] as const) {
    for (const recipient of mail[kind]) {
      const own = headersFor(recipient, mail)
      const key = JSON.stringify(
        own.map(({ name, value }) => [name.toLowerCase(), value]).toSorted(),
      )
      const group = groups.get(key) ?? {
        ...mail,
        headers: headersOver(mail.headers, own),
        to: [],
        cc: [],
        bcc: [],
      }
      group[kind].push(recipient)
      groups.set(key, group)
    }
  }
  return [...groups.values()]
}

function headersFor({ address }: Address, { recipientData }: OutgoingMail): Header[] {
  const { headers } = recipientData?.get(canonicalAddress(address)) ?? sameAsAll
  return Object.entries(headers).map(([name, value]) => ({ name, value }))
}

function headersOver(headers: readonly Header[], own: readonly Header[]): Header[] {
  const replaced = new Set(own.map(({ name }) => name.toLowerCase()))
  return [...headers.filter(({ name }) => !replaced.has(name.toLowerCase())), ...own]
}
