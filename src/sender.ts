import { askBeforeSend } from './before-send.js'
import { addressesOf, type Draft, newRecord, readDraft, recipientsOf } from './draft.js'
import { SendError, StoreError } from './errors.js'
import { inTime } from './in-time.js'
import type { MailHead } from './mail-head.js'
import { invalid } from './mail-options.js'
import type { MailSource } from './mail-source.js'
import type { MessageRecord } from './message.js'
import { fields } from './payload.js'
import { changesDocument } from './nodemailer-mail.js'
import type { ProviderClient } from './provider-client.js'
import type { SendRecorder } from './provider.js'
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
import { checkedTransportOptions, type TransportOptions } from './transport-options.js'
import { beyondMime, refuseLoss, uncarriedFields } from './unsupported-fields.js'

/** One provider that messages can be sent through. */
export interface Sender<Provider extends string = string> {
  readonly provider: Provider
  readonly correlator: SendRecorder | undefined
  /** How long one step of a send may take, in ms. */
  readonly timeout: number
  /** Sends a message. Never rejects: a failure is in what it resolves with. */
  attempt(source: MailSource, start: SendStart): Promise<Attempt<Provider>>
  /** Rejects with a `SendError` when the credentials are none. */
  verify(): Promise<void>
}

/** What stays the same whoever sends a message. */
export type SendStart = Pick<MessageRecord, 'trackingId' | 'sentAt' | 'earlierAttempts'>

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
  const { timeout, retries, unsupported, correlator, replyAddress, beforeSend } =
    checkedTransportOptions(`${provider} transport`, options)

  /** The draft after the hook had its say. Never throws. */
  async function openDraft(source: MailSource, trackingId: string): Promise<Draft> {
    const flaw = await inTime(timeout, contentTooSlow, source.readHead).then(
      () => undefined,
      (error: unknown) => ({ error }),
    )
    const draft = readDraft(source, provider)
    if (flaw) draft.flaw ??= flaw.error
    if (draft.flaw !== undefined || !beforeSend) return draft
    try {
      const refused = await inTime(timeout, hookTooSlow, () =>
        askBeforeSend(beforeSend, draft, source, { trackingId, provider }),
      )
      source.refused.push(...refused)
    } catch (error) {
      draft.flaw = error
    }
    return draft
  }

  async function prepare(
    source: MailSource,
    draft: Draft,
    route: Route<Request>,
    { trackingId, recipients }: MessageRecord,
  ): Promise<SendCall<Request>[]> {
    const { head: given, options: portable } = draft
    refuseLoss(provider, route.lost, unsupported)
    const head = withReplyAddress(given, replyAddress, trackingId)
    const lost = new Set<string>()
    const calls: SendCall<Request>[] = []
    if (route.mime) {
      if (portable.recipientData) throw notForEach(route.reasons)
      if (head !== given) source.mail.message.setHeader('reply-to', head.replyTo)
      const document = await source.document()
      const addresses = recipients
        .filter(({ status }) => status === 'unknown')
        .map(({ address }) => address)
      const mail = { ...head, ...portable, document, recipients: addresses }
      const built = route.mime.buildRequest(mail, trackingId, Date.now())
      built.lost.forEach((name) => lost.add(name))
      calls.push({ request: built.request, addresses })
    } else {
      const mail = { ...head, ...(await source.content()), ...portable }
      const mails = (portable.recipientData && client.calls?.(mail)) ?? [mail]
      for (const part of mails) {
        const built = client.buildRequest(part, trackingId, Date.now())
        built.lost.forEach((name) => lost.add(name))
        calls.push({ request: built.request, addresses: addressesOf(part) })
      }
    }
    refuseLoss(provider, [...lost], unsupported)
    return calls
  }

  return {
    provider,
    correlator,
    timeout,

    async attempt(source, start) {
      const draft = await openDraft(source, start.trackingId)
      const route = routeOf(provider, client, source, draft)
      const { refused } = source
      const recipients = recipientsOf(draft, route.mime !== undefined)
      const record = newRecord(provider, draft, recipients, start)
      record.recipients.push(...refused)
      let recording: Promise<void> | undefined
      let called = false
      try {
        if (draft.flaw !== undefined) throw draft.flaw
        if (recipients.length === 0 && refused.length > 0) {
          return { record, ending: nobodyLeft(record), final: true }
        }
        const calls = await inTime(timeout, contentTooSlow, () =>
          prepare(source, draft, route, record),
        )
        recording = correlator?.recordSending(record)
        await inTime(timeout, storeTooSlow, async () => recording)
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
        const final =
          draft.flaw !== undefined || draft.signal?.aborted === true || thrown instanceof StoreError
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
  { head, flaw }: Draft,
): Route<Request> {
  // What could not be read may be anything.
  if (flaw !== undefined) return { mime: undefined, reasons: [], lost: [] }
  const uncarried = [
    ...uncarriedFields(fields(mail.data), head, provider, carries),
    ...(changesDocument(mail) ? ['what a plugin of the step stream changes'] : []),
    ...(beyondFields?.(head, mail.message) ?? []),
  ]
  const beyond = (name: string): boolean => beyondMime.has(name) || mime?.lacks?.has(name) === true
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

/** Never without: everybody would see everybody, and what is meant for others. */
const notForEach = (reasons: string[]): SendError =>
  invalid(`recipientData cannot go together with ${reasons.join(', ')}`)

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
