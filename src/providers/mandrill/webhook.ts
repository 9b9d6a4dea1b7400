import type { ParsedEvent } from '../../event.js'
import { checkedInbound, type InboundOptions } from '../../inbound-mail.js'
import { type Fields, readEach, readEntries, text } from '../../payload.js'
import type {
  Refusal,
  Webhook,
  WebhookReading,
  WebhookRequest,
  WebhookRequestHead,
} from '../../provider.js'
import type { KeySource } from '../../signing-keys.js'
import { checkedWebhookOptions, type WebhookOptions } from '../../webhook-options.js'
import { type PostedForm, readForm } from './posted-form.js'
import { readInbound, type UnreadMail } from './inbound.js'
import { sourceBudget } from './inbound-contents.js'
import { readMessageEvent } from './message-event.js'
import { whyRefused } from './diagnosis.js'
import { isWellFormed, signatureHeader } from './signature.js'
import { readSyncEvent } from './sync-event.js'
import { isSigned, isTrial } from './signed-form.js'
import { webhookKeys, webhookUrls } from './webhook-keys.js'

export interface MandrillWebhookOptions extends WebhookOptions {
  /**
   * The webhook's key, one or several: every webhook and every inbound route has its own. By default
   * that of `MANDRILL_WEBHOOK_KEY`.
   *
   * Mandrill shows the key only after it has tried the URL. Give `test-webhook` until then: it lets that
   * trial through and nothing else, and is to be replaced by the key that is shown afterwards.
   */
  key?: KeySource
  /**
   * The URL exactly as it was entered in Mandrill, with its query and its trailing slash, for it
   * is part of what is signed. Several where webhooks and inbound routes come here under different
   * ones. By default that of `MANDRILL_WEBHOOK_URL`.
   */
  url?: string | readonly string[]
  /**
   * How inbound mail is taken; it comes to the same URL as events, or to another in the list. To read it,
   * the packages `postal-mime` and `iconv-lite` are needed.
   */
  inbound?: InboundOptions
}

// A mail of 25 MB comes twice, as its source and taken apart, and grows in a form.
const largestBody = 64 * 1024 * 1024

/**
 * Mandrill's webhooks: events of messages, changes of its lists, and inbound mail.
 *
 * ```ts
 * const url = 'https://example.com/webhooks/mandrill'
 * createCorrelator({ store, webhooks: [mandrillWebhook({ key: '…', url })] })
 * ```
 *
 * @throws ConfigurationError when the key or the URL is missing, or an option is wrong
 */
export function mandrillWebhook(options: MandrillWebhookOptions = {}): Webhook {
  const user = 'mandrillWebhook'
  const keys = webhookKeys(`${user}: key`, options.key)
  const urls = webhookUrls(`${user}: url`, options.url)
  const inbound = checkedInbound(`${user}: inbound`, options.inbound)
  return {
    provider: 'mandrill',
    // Any status but 200 brings the batch again, 20 times, and then turns the webhook off.
    ...checkedWebhookOptions(user, options, { name: 'mandrill', maxBodyBytes: largestBody }),
    refusedByHead,
    read: (request) => readBatch(request, keys, urls, inbound),
  }
}

function refusedByHead(request: WebhookRequestHead): Refusal | undefined {
  const contentType = request.header('content-type') ?? ''
  if (!/^\s*application\/x-www-form-urlencoded\s*(?:;|$)/i.test(contentType)) {
    const given = JSON.stringify(contentType.slice(0, 80))
    return refuse('unsupported', `the content type is ${given}, and Mandrill posts a form`)
  }
  const signature = request.header(signatureHeader)
  if (signature === undefined) {
    return refuse('unsigned', `the header ${signatureHeader} is missing`)
  }
  if (!isWellFormed(signature)) {
    return refuse('unsigned', `the header ${signatureHeader} is not one signature in base64`)
  }
  return undefined
}

async function readBatch(
  request: WebhookRequest,
  keys: () => Promise<string[]>,
  urls: readonly string[],
  inbound: InboundOptions,
): Promise<WebhookReading> {
  const refused = refusedByHead(request)
  if (refused) return refused
  const signature = request.header(signatureHeader) ?? ''
  const form = readForm(request.body)
  if (form.kind === 'refused') return form
  // The trial comes before the webhook exists, so the other keys may not be there yet.
  if (!isTrial(form, signature, urls)) {
    const known = await keys()
    if (!isSigned(form, signature, known, urls)) {
      return whyRefused({ request, form, signature, keys: known, urls })
    }
  }
  return readEvents(form, inbound)
}

/** The events of a form, whoever has signed it. */
export async function readEvents(
  { batch }: Pick<PostedForm, 'batch'>,
  inbound: InboundOptions,
): Promise<WebhookReading> {
  const parsed = readEntries('mandrill_events', batch.toString('utf8'))
  if (parsed.kind === 'refused') return parsed
  const events: ParsedEvent[] = []
  const budget = sourceBudget()
  // One after the other, for mails are large.
  for (const read of readEach(parsed.entries, readEntry)) {
    events.push(typeof read === 'function' ? await read(inbound, budget) : read)
  }
  return { kind: 'events', events }
}

function refuse(reason: Refusal['reason'], detail: string): Refusal {
  return { kind: 'refused', reason, detail }
}

/** One entry of a batch, which may mix all kinds of them. */
function readEntry(raw: Fields): ParsedEvent | UnreadMail {
  const event = text(raw['event'])?.toLowerCase()
  if (event === 'inbound') return readInbound(raw)
  return event === undefined && text(raw['type']) !== undefined
    ? readSyncEvent(raw)
    : readMessageEvent(raw)
}
