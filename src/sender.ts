import { addressesOf, type Draft, newRecord, recipientsOf } from './draft.js'
import { SendError } from './errors.js'
import { inTime } from './in-time.js'
import { aborted, contentTooSlow, noAnswer, storeTooSlow, verifyTooSlow } from './late-errors.js'
import { invalid } from './mail-options.js'
import type { MailSource } from './mail-source.js'
import type { MessageRecord, SentRecipient } from './message.js'
import type { Observer } from './observer.js'
import { openDraft } from './opened-draft.js'
import type { BuiltRequest, MimeRoute, ProviderClient } from './provider-client.js'
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
import type { SendRoute } from './send-route.js'
import { checkedTransportOptions, type TransportOptions } from './transport-options.js'
import { refuseLoss } from './unsupported-fields.js'

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
  const opening = { provider, client, correlator, beforeSend, replyAddress, timeout }

  /** What the message says, as the route needs it. */
  async function readContent(
    source: MailSource,
    { head }: Draft,
    { mime }: SendRoute<Request>,
  ): Promise<Content<Request>> {
    if (!mime) return { kind: 'fields', content: await source.content() }
    const { message } = source.mail
    if (head.replyTo.length > 0 && !message.getHeader('reply-to')) {
      message.setHeader('reply-to', head.replyTo)
    }
    return { kind: 'document', mime, document: await source.document() }
  }

  function buildCalls(
    { head, options: portable }: Draft,
    { reasons }: SendRoute<Request>,
    content: Content<Request>,
    { trackingId, recipients }: MessageRecord,
  ): SendCall<Request>[] {
    const lost = new Set<string>()
    const call = (built: BuiltRequest<Request>, addresses: string[]): SendCall<Request> => {
      built.lost.forEach((name) => lost.add(name))
      return { request: built.request, addresses }
    }
    const calls: SendCall<Request>[] = []
    if (content.kind === 'document') {
      // Never without: everybody would see everybody, and what is meant for others.
      if (portable.recipientData) {
        throw invalid(`recipientData cannot go together with ${reasons.join(', ')}`)
      }
      const addresses = recipients.filter(isLeft).map(({ address }) => address)
      const mail = { ...head, ...portable, document: content.document, recipients: addresses }
      calls.push(call(content.mime.buildRequest(mail, trackingId, Date.now()), addresses))
    } else {
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
      const { draft, route } = await openDraft(source, start.trackingId, opening)
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
type Content<Request> =
  | { kind: 'fields'; content: MailContent }
  | { kind: 'document'; mime: MimeRoute<Request>; document: Buffer }

/** Not refused before anything is sent. */
const isLeft = ({ status }: SentRecipient): boolean => status === 'unknown'
