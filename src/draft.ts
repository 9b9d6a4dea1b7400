import { emptyHead, mailHead, type MailHead } from './mail-head.js'
import {
  checkedMetadata,
  checkedSignal,
  checkedTags,
  checkedTask,
  ignoresSuppressions,
  invalid,
} from './mail-options.js'
import type { MailSource } from './mail-source.js'
import { canonicalAddress } from './matching.js'
import type { MessageRecord, RecipientKind } from './message.js'
import { fields } from './payload.js'
import type { PortableOptions } from './provider-client.js'
import { checkedRecipientData } from './recipient-data.js'

/** What is known of a message before its content is read. */
export interface Draft {
  head: MailHead
  options: PortableOptions
  /** Whether it goes to those too who must not be mailed. */
  ignoresSuppressions: boolean
  /** Ends what has not been sent yet. */
  signal?: AbortSignal
  /** Why it cannot be sent, whatever its content. */
  flaw?: unknown
}

/** Never throws: listeners are told of a message that cannot be read, too. */
export function readDraft({ mail }: MailSource, provider: string): Draft {
  const draft: Draft = {
    head: emptyHead,
    options: { tags: [], metadata: {}, templateData: {}, own: {} },
    ignoresSuppressions: false,
  }
  try {
    const data = fields(mail.data)
    draft.head = mailHead(mail)
    if (draft.head.messageId === '') {
      throw invalid('messageId must be one word, with < and > around it or not')
    }
    const odd = draft.head.headers.find(({ name }) => !/^[!-9;-~]+$/.test(name))
    if (odd) throw invalid(`the header ${odd.name} has a name that no mail can have`)
    draft.options.tags = checkedTags(data)
    draft.options.metadata = checkedMetadata(data)
    Object.assign(draft.options, checkedTask(data, provider))
    const recipientData = checkedRecipientData(mail, addressesOf(draft.head))
    if (recipientData) draft.options.recipientData = recipientData
    draft.ignoresSuppressions = ignoresSuppressions(data)
    const signal = checkedSignal(data)
    if (signal) draft.signal = signal
  } catch (flaw) {
    draft.flaw = flaw ?? 'the message cannot be read'
  }
  return draft
}

export function addressesOf({ to, cc, bcc }: MailHead): string[] {
  return [...to, ...cc, ...bcc].map(({ address }) => address)
}

/**
 * Everybody whom the message goes to. As a document it goes to those in the envelope: whoever is in no
 * header gets a blind copy.
 */
export function recipientsOf(
  { head }: Draft,
  asDocument: boolean,
): { address: string; kind: RecipientKind }[] {
  const { to, cc, bcc, envelope } = head
  const named = (['to', 'cc', 'bcc'] as const).flatMap((kind) =>
    ({ to, cc, bcc })[kind].map(({ address }) => ({ address, kind })),
  )
  if (!asDocument) return named
  const kinds = new Map(named.map(({ address, kind }) => [canonicalAddress(address), kind]))
  const unique = new Map(envelope.to.map((address) => [canonicalAddress(address), address]))
  return [...unique].map(([canonical, address]) => ({
    address,
    kind: kinds.get(canonical) ?? 'bcc',
  }))
}

/** A message as it is known before the provider is called. */
export function newRecord(
  provider: string,
  { head, options }: Draft,
  recipients: readonly { address: string; kind: RecipientKind }[],
  start: Pick<MessageRecord, 'trackingId' | 'sentAt' | 'earlierAttempts' | 'traceparent'>,
): MessageRecord {
  const { envelope, messageId, from, to, cc, bcc, subject } = head
  const { tags, metadata, templateId } = options
  const [sender] = from
  return {
    ...start,
    provider,
    ...(messageId && { messageId }),
    envelope,
    ...(sender && { from: sender }),
    to,
    cc,
    bcc,
    ...(subject !== undefined && { subject }),
    tags,
    metadata,
    ...(templateId !== undefined && { templateId }),
    recipients: recipients.map((recipient) => ({
      ...recipient,
      status: 'unknown',
      providerStatus: '',
    })),
    outcome: 'sending',
  }
}
