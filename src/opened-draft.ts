import { askBeforeSend, type BeforeSend } from './before-send.js'
import { type Draft, readDraft } from './draft.js'
import { inTime } from './in-time.js'
import { contentTooSlow, hookTooSlow, storeTooSlow } from './late-errors.js'
import type { MailHead } from './mail-head.js'
import type { MailSource } from './mail-source.js'
import type { ProviderClient } from './provider-client.js'
import type { SendRecorder } from './provider.js'
import { routeOf, type SendRoute } from './send-route.js'
import { refuseSuppressed } from './suppressed-recipients.js'

/** What has a say in a message before it is sent. */
export interface Opening<Request> {
  provider: string
  client: ProviderClient<Request>
  correlator: SendRecorder | undefined
  beforeSend: BeforeSend | undefined
  replyAddress: string | undefined
  /** How long each step may take, in ms. */
  timeout: number
}

/**
 * A message before its content is read, after the hook and the suppressions had their say, and the way that it goes.
 * Never throws: what keeps it from being sent is the draft's flaw.
 */
export async function openDraft<Request>(
  source: MailSource,
  trackingId: string,
  opening: Opening<Request>,
): Promise<{ draft: Draft; route: SendRoute<Request> }> {
  const { provider, client, correlator, beforeSend, replyAddress, timeout } = opening
  const unopened = await flawOf(async () => {
    if (source.open) await inTime(timeout, contentTooSlow, source.open)
  })
  const draft = readDraft(source, provider)
  let route: SendRoute<Request> = { mime: undefined, reasons: [], lost: [] }
  draft.flaw = unopened ?? draft.flaw
  draft.flaw ??= await flawOf(async () => {
    if (beforeSend) {
      const ask = () => askBeforeSend(beforeSend, draft, source, { trackingId, provider })
      source.refused.push(...(await inTime(timeout, hookTooSlow, ask)))
    }
    if (correlator?.suppressionsOf) {
      const { suppressionsOf } = correlator
      const groups = client.groupsOf?.(draft.options.own) ?? []
      const refuse = () => refuseSuppressed(draft, source, suppressionsOf, provider, groups)
      source.refused.push(...(await inTime(timeout, storeTooSlow, refuse)))
    }
    draft.head = withReplyAddress(draft.head, replyAddress, trackingId)
    route = routeOf(provider, client, source, draft)
  })
  return { draft, route }
}

/** What a step failed with; undefined when it did not. */
async function flawOf(step: () => Promise<void>): Promise<unknown> {
  try {
    await step()
    return undefined
  } catch (flaw) {
    return flaw ?? 'it failed without a reason'
  }
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
