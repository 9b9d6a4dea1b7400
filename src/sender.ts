import { askBeforeSend } from './before-send.js'
import { addressesOf, type Draft, newRecord, readDraft, recipientsOf } from './draft.js'
import { SendError, StoreError } from './errors.js'
import { inTime } from './in-time.js'
import type { MailHead } from './mail-head.js'
import { invalid } from './mail-options.js'
import type { MailSource } from './mail-source.js'
import type { MessageRecord, SentRecipient } from './message.js'
import type { Observer } from './observer.js'
import { fields } from './payload.js'
import { changesDocument } from './nodemailer-mail.js'
import type { BuiltRequest, ProviderClient } from './provider-client.js'
import type { SendRecorder } from './provider.js'
import type { MailContent } from './resolved-mail.js'
import { withRetries } from './retries.js'
import { type SendCall, sendInCalls } from './send-calls.js'
import {
  answered,
  failed,
  nobodyLeft,
  type SendAnswer,
  type SendEnding,
  toSendError,
} from './send-result.js'
import { refuseSuppressed } from './suppressed-recipients.js'
import { checkedTransportOptions, type TransportOptions } from './transport-options.js'
import { beyondMime, refuseLoss, uncarriedFields } from './unsupported-fields.js'

/** One provider that messages can be sent through. */
export interface Sender<Provider extends string = string> {
  readonly provider: Provider
  readonly correlator: SendRecorder | undefined
  /** Told of what is sent: the transport's own, and those of the correlator. */
  readonly observers: readonly Observer[]
  /** How long one step of a send may take, in ms. */
  readonly timeout: number
  /** Sends a message. Never rejects: a failure is in what it resolves with. */
  attempt(source: MailSource, start: SendStart): Promise<Attempt<Provider>>
  /** Rejects with a `SendError` when the credentials are none. */
  verify(): Promise<void>
}

/** What stays the same whoever sends a message. */
export type SendStart = Pick<
  MessageRecord,
  'trackingId' | 'sentAt' | 'earlierAttempts' | 'traceparent'
>

/** How a provider was tried. */
export interface Attempt<Provider extends string = string> {
  record: MessageRecord
  ending: SendEnding<Provider>
  /** The writing of the record that went before the call; absent when it did not come so far. */
  recording?: Promise<void>
  /** Another provider would do no better: it is the message that failed, or its recipients. */
  final: boolean
}

// The SDK's own timeout comes first, for it ends the connection; this is for SDKs that hang.
const timeoutMargin = 1000

export function createSender<Request, Provider extends string>(
  provider: Provider,
  client: ProviderClient<Request>,
  options: TransportOptions,
): Sender<Provider> {
  const { timeout, retries, unsupported, correlator, observers, replyAddress, beforeSend } =
    checkedTransportOptions(`${provider} transport`, options)

  /** The draft after the hook had its say, and the way that it goes. Never throws. */
  async function openDraft(
    source: MailSource,
    trackingId: string,
  ): Promise<{ draft: Draft; route: Route<Request> }> {
    let flaw: unknown
    try {
      if (source.open) await inTime(timeout, contentTooSlow, source.open)
    } catch (error) {
      flaw = error
    }
    const draft = readDraft(source, provider)
    draft.flaw = flaw ?? draft.flaw
    if (draft.flaw === undefined && beforeSend) {
      try {
        const refused = await inTime(timeout, hookTooSlow, () =>
          askBeforeSend(beforeSend, draft, source, { trackingId, provider }),
        )
        source.refused.push(...refused)
      } catch (error) {
        draft.flaw = error
      }
    }
    if (draft.flaw === undefined && correlator?.suppressionsOf) {
      const { suppressionsOf } = correlator
      const groups = client.groupsOf?.(draft.options.own) ?? []
      try {
        const refused = await inTime(timeout, storeTooSlow, () =>
          refuseSuppressed(draft, source, suppressionsOf, provider, groups),
        )
        source.refused.push(...refused)
      } catch (error) {
        draft.flaw = error
      }
    }
    draft.head = withReplyAddress(draft.head, replyAddress, trackingId)
    try {
      if (draft.flaw === undefined)
        return { draft, route: routeOf(provider, client, source, draft) }
    } catch (error) {
      draft.flaw = error
    }
    return { draft, route: { mime: undefined, reasons: [], lost: [] } }
  }

  /** What the message says, as the route needs it. */
  async function readContent(
    source: MailSource,
    { head }: Draft,
    { mime }: Route<Request>,
  ): Promise<Content> {
    if (!mime) return { kind: 'fields', content: await source.content() }
    const { message } = source.mail
    if (head.replyTo.length > 0 && !message.getHeader('reply-to')) {
      message.setHeader('reply-to', head.replyTo)
    }
    return { kind: 'document', document: await source.document() }
  }

  function buildCalls(
    { head, options: portable }: Draft,
    { mime, reasons }: Route<Request>,
    content: Content,
    { trackingId, recipients }: MessageRecord,
  ): SendCall<Request>[] {
    const lost = new Set<string>()
    const call = (built: BuiltRequest<Request>, addresses: string[]): SendCall<Request> => {
      built.lost.forEach((name) => lost.add(name))
      return { request: built.request, addresses }
    }
    const calls: SendCall<Request>[] = []
    if (content.kind === 'document' && mime) {
      // Never without: everybody would see everybody, and what is meant for others.
      if (portable.recipientData) {
        throw invalid(`recipientData cannot go together with ${reasons.join(', ')}`)
      }
      const addresses = recipients.filter(isLeft).map(({ address }) => address)
      const mail = { ...head, ...portable, document: content.document, recipients: addresses }
      calls.push(call(mime.buildRequest(mail, trackingId, Date.now()), addresses))
    } else if (content.kind === 'fields') {
      const mail = { ...head, ...content.content, ...portable }
      for (const part of (portable.recipientData && client.calls?.(mail)) ?? [mail]) {
        calls.push(call(client.buildRequest(part, trackingId, Date.now()), addressesOf(part)))
      }
    }
    refuseLoss(provider, [...lost], unsupported)
    return calls
  }

  return {
    provider,
    correlator,
    observers: [...observers, ...(correlator?.observers ?? [])],
    timeout,

    async attempt(source, start) {
      const { draft, route } = await openDraft(source, start.trackingId)
      const recipients = recipientsOf(draft, route.mime !== undefined)
      const record = newRecord(provider, draft, recipients, start)
      record.recipients.push(...source.refused)
      let recording: Promise<void> | undefined
      let called = false
      // Whether a failure at this step would meet the next provider too.
      let final = true
      try {
        if (draft.flaw !== undefined) throw draft.flaw
        if (!record.recipients.some(isLeft) && source.refused.length > 0) {
          return { record, ending: nobodyLeft(record), final }
        }
        final = false
        refuseLoss(provider, route.lost, unsupported)
        final = true
        const content = await inTime(timeout, contentTooSlow, () =>
          readContent(source, draft, route),
        )
        final = false
        const calls = buildCalls(draft, route, content, record)
        final = true
        recording = correlator?.recordSending(record)
        if (recording) await inTime(timeout, storeTooSlow, async () => recording)
        final = false
        const { signal } = draft
        const send = (request: Request): Promise<SendAnswer> =>
          withRetries(
            () => {
              if (signal?.aborted) throw aborted()
              called = true
              return inTime(timeout + timeoutMargin, noAnswer, () => client.send(request))
            },
            { retries, signal },
          )
        const ending = answered(provider, record, await sendInCalls(calls, send))
        return { record, ending, ...(recording && { recording }), final: true }
      } catch (thrown) {
        const ending = failed<Provider>(record, toSendError(thrown, called))
        final ||= draft.signal?.aborted === true
        return { record, ending, ...(recording && { recording }), final }
      }
    },

    async verify() {
      const check = client.verify
      if (!check) {
        throw new SendError(`the ${provider} transport cannot check its credentials`, {
          category: 'configuration',
          retryable: false,
          outcome: 'not-sent',
        })
      }
      await inTime(timeout + timeoutMargin, verifyTooSlow, () => check())
    },
  }
}

/** What a message says: as fields, or as a document. */
type Content = { kind: 'fields'; content: MailContent } | { kind: 'document'; document: Buffer }

/** The way that a message goes to a provider. */
interface Route<Request> {
  /** Given when it goes as a document. */
  mime: ProviderClient<Request>['mime']
  /** Why. */
  reasons: string[]
  /** What it goes without on this way. */
  lost: string[]
}

/** As fields where they say all of it, and as a document where that says more. */
function routeOf<Request>(
  provider: string,
  { carries, beyondFields, mime }: ProviderClient<Request>,
  { mail }: MailSource,
  { head, options }: Draft,
): Route<Request> {
  const uncarried = [
    ...uncarriedFields(fields(mail.data), head, provider, carries),
    ...(changesDocument(mail) ? ['what a plugin of the step stream changes'] : []),
    // What goes to each recipient alone goes as fields, and buildRequest tells what those lose of it.
    ...(options.recipientData ? [] : (beyondFields?.(head, mail.message) ?? [])),
  ]
  // A header stands among them as the caller wrote it.
  const beyond = (name: string): boolean =>
    beyondMime.has(name) || mime?.lacks?.has(name.toLowerCase()) === true
  const reasons = uncarried.filter((name) => !beyond(name))
  if (!mime || reasons.length === 0) return { mime: undefined, reasons: [], lost: uncarried }
  return { mime, reasons, lost: uncarried.filter(beyond) }
}

/** Asks for answers to an address of this message alone, where it names none itself. */
function withReplyAddress(
  head: MailHead,
  replyAddress: string | undefined,
  trackingId: string,
): MailHead {
  if (replyAddress === undefined || head.replyTo.length > 0) return head
  const name = head.from[0]?.name ?? ''
  const address = replyAddress.replace('@', `+${trackingId}@`)
  return { ...head, replyTo: [{ name, address }] }
}

/** Not refused before anything is sent. */
const isLeft = ({ status }: SentRecipient): boolean => status === 'unknown'

const aborted = (): SendError =>
  new SendError('not sent: its signal was aborted', {
    category: 'unknown',
    retryable: true,
    outcome: 'not-sent',
  })

const contentTooSlow = (): SendError =>
  new SendError('not sent: the content of the message could not be read in time', {
    category: 'timeout',
    retryable: true,
    outcome: 'not-sent',
  })

const hookTooSlow = (): SendError =>
  new SendError('not sent: beforeSend did not end in time', {
    category: 'timeout',
    retryable: true,
    outcome: 'not-sent',
  })

export const storeTooSlow = (): StoreError =>
  new StoreError('recording a send', new Error('it did not answer in time'))

const verifyTooSlow = (): SendError =>
  new SendError('the provider did not answer in time', {
    category: 'timeout',
    retryable: true,
    outcome: 'not-sent',
  })

const noAnswer = (): SendError =>
  new SendError('the provider did not answer in time: it may have taken the message', {
    category: 'timeout',
    retryable: false,
    outcome: 'unknown',
  })
