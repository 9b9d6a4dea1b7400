import { messageOf, SendError } from './errors.js'
import { addressesOf, type Draft } from './draft.js'
import { mailHead } from './mail-head.js'
import { checkedMetadata, checkedTags, invalid } from './mail-options.js'
import type { MailSource } from './mail-source.js'
import { canonicalAddress } from './matching.js'
import type { Address, MessageRecord, SentRecipient } from './message.js'
import { type Fields, fields } from './payload.js'

/** A message before its content is read, as `beforeSend` sees it. */
export type MessageDraft = Pick<
  MessageRecord,
  | 'trackingId'
  | 'provider'
  | 'from'
  | 'to'
  | 'cc'
  | 'bcc'
  | 'subject'
  | 'tags'
  | 'metadata'
  | 'templateId'
>

/** What is to be otherwise in a message; what is left out stays as it is. */
export interface MessageChange {
  to?: readonly Address[]
  cc?: readonly Address[]
  bcc?: readonly Address[]
  subject?: string
  tags?: readonly string[]
  metadata?: Readonly<Record<string, string>>
  /** Who of these must not be mailed, and why: they are `rejected`, and the others get the message. */
  refused?: readonly { address: string; reason: string }[]
}

/**
 * Asked before the content of a message is read and anything is sent. It may change the message by what
 * it returns, and cancel it by throwing or rejecting, which is why `sendMail` rejects then.
 */
export type BeforeSend = (
  message: MessageDraft,
) => MessageChange | undefined | void | Promise<MessageChange | undefined | void>

/**
 * Asks the hook, and makes of the draft what it wants. Gives those who must not be mailed.
 *
 * @throws SendError when it cancels the message, or asks for what is no change
 */
export async function askBeforeSend(
  ask: BeforeSend,
  draft: Draft,
  source: MailSource,
  { trackingId, provider }: Pick<MessageRecord, 'trackingId' | 'provider'>,
): Promise<SentRecipient[]> {
  const { head, options } = draft
  let change: MessageChange | undefined | void
  try {
    // Copies: what it does to them must change nothing unseen.
    change = await ask(
      structuredClone({
        trackingId,
        provider,
        ...(head.from[0] && { from: head.from[0] }),
        to: head.to,
        cc: head.cc,
        bcc: head.bcc,
        ...(head.subject !== undefined && { subject: head.subject }),
        tags: options.tags,
        metadata: options.metadata,
        ...(options.templateId !== undefined && { templateId: options.templateId }),
      }),
    )
  } catch (error) {
    throw error instanceof SendError ? error : cancelled(error)
  }
  return change === undefined ? [] : applyChange(change, draft, source)
}

/** Makes of the draft what the change says. Gives those who must not be mailed. */
export function applyChange(
  change: MessageChange,
  draft: Draft,
  { mail }: MailSource,
): SentRecipient[] {
  const { tags, metadata, subject, refused = [] } = change
  if (tags !== undefined) draft.options.tags = checkedTags({ tags })
  if (metadata !== undefined) draft.options.metadata = checkedMetadata({ metadata })
  if (subject !== undefined) mail.message.setHeader('subject', checkedSubject(subject))
  const reasons = new Map(
    refused.map(({ address, reason }) => [canonicalAddress(address), String(reason)]),
  )
  const rejected: SentRecipient[] = []
  for (const kind of ['to', 'cc', 'bcc'] as const) {
    const wanted = change[kind] ?? draft.head[kind]
    const mailed = checkedAddresses(kind, wanted).filter(({ address }) => {
      const reason = reasons.get(canonicalAddress(address))
      if (reason === undefined) return true
      rejected.push({ address, kind, status: 'rejected', providerStatus: '', reason })
      return false
    })
    if (mailed.length !== draft.head[kind].length || change[kind]) {
      mail.message.setHeader(kind, mailed)
    }
  }
  const head = mailHead(mail)
  // An envelope of the caller's own stands for other recipients than those that it was changed to.
  const readdressed = change.to ?? change.cc ?? change.bcc
  const to = (readdressed ? addressesOf(head) : draft.head.envelope.to).filter(
    (address) => !reasons.has(canonicalAddress(address)),
  )
  draft.head = { ...head, envelope: { ...head.envelope, to } }
  return rejected
}

function checkedSubject(subject: unknown): string {
  if (typeof subject === 'string') return subject
  throw invalid('beforeSend must give a text as the subject')
}

function checkedAddresses(kind: string, addresses: unknown): Address[] {
  const list = Array.isArray(addresses) ? addresses.map(fields) : undefined
  if (list?.every(isAddress)) return list
  throw invalid(`beforeSend must give a list of { name, address } as ${kind}`)
}

function isAddress(value: Fields): value is Fields & Address {
  const { name, address } = value
  return typeof name === 'string' && typeof address === 'string' && address !== ''
}

function cancelled(error: unknown): SendError {
  return new SendError(`cancelled before it was sent: ${messageOf(error)}`, {
    category: 'rejected',
    retryable: false,
    outcome: 'not-sent',
    ...(error instanceof Error && { cause: error }),
  })
}
