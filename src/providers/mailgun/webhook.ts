import { checkedInbound, type InboundOptions } from '../../inbound-mail.js'
import type { Refusal, Webhook, WebhookReading, WebhookRequest } from '../../provider.js'
import type { KeySource } from '../../signing-keys.js'
import {
  checkedBytes,
  checkedMaxAge,
  checkedWebhookOptions,
  refusedByAge,
  type WebhookOptions,
} from '../../webhook-options.js'
import { type MailgunSignature, verifySignature } from './signature.js'
import { readPost } from './signed-post.js'
import { apiKeyDetail, isApiKey, webhookKeys } from './webhook-keys.js'

/** How mail of routes is taken. */
export interface MailgunInboundOptions extends InboundOptions {
  /** The largest body that is read, in bytes; default 40 MB. */
  maxBodyBytes?: number
}

export interface MailgunWebhookOptions extends WebhookOptions {
  /**
   * The account's HTTP webhook signing key (not an API key), one or several; default
   * `MAILGUN_WEBHOOK_SIGNING_KEY` of the environment.
   */
  signingKey?: KeySource
  /**
   * How old a signature may be, in ms; any age by default, since Mailgun comes again for eight hours
   * with the first signature.
   */
  maxAge?: number
  /**
   * Mail of routes, which are to forward it to `…/<name>/inbound`. Mailgun posts the MIME source of a mail
   * where the URL ends in `mime`: to the `…/mailgun-mime` of a webhook with that name.
   */
  inbound?: MailgunInboundOptions
}

// Mailgun takes mails of 25 MB, and a form adds to it. Not only inbound mail is as large: the forms
// from before 2018 bring the mail that came back along.
const defaultMaxBodyBytes = 40 * 1024 * 1024

/**
 * Mailgun's webhooks, one event in each, and the mail of its routes. What a post is shows by what is in
 * it, so both endpoints take both.
 *
 * ```ts
 * createCorrelator({ store, webhooks: [mailgunWebhook({ signingKey: '…' })] })
 * ```
 *
 * @throws ConfigurationError when the key is missing, or an option is wrong
 */
export function mailgunWebhook({
  signingKey,
  maxAge,
  inbound = {},
  ...given
}: MailgunWebhookOptions = {}): Webhook {
  const options = checkedWebhookOptions('mailgunWebhook', given, {
    name: 'mailgun',
    // Only 200 and 406 keep it from coming again for 8 h (mailgun-php#658).
    answers: { stored: 200, denied: 406, forged: 406, malformed: 406, unsupported: 406 },
    maxBodyBytes: defaultMaxBodyBytes,
  })
  const { name, guards } = options
  const keys = webhookKeys('mailgunWebhook: signingKey', signingKey)
  const taking: Taking = {
    name,
    maxAge: checkedMaxAge('mailgunWebhook', maxAge),
    inbound: checkedInbound('mailgunWebhook: inbound', inbound),
  }
  const read: Webhook['read'] = async (request, receivedAt) =>
    readWebhook(request, await keys(), taking, receivedAt)
  return {
    provider: 'mailgun',
    ...options,
    read,
    inbound: {
      guards,
      maxBodyBytes: checkedBytes(
        'mailgunWebhook: inbound',
        inbound.maxBodyBytes ?? defaultMaxBodyBytes,
      ),
      read,
    },
  }
}

/** How requests are taken. */
interface Taking {
  name: string
  maxAge: number | undefined
  inbound: InboundOptions
}

async function readWebhook(
  request: WebhookRequest,
  keys: readonly string[],
  { name, maxAge, inbound }: Taking,
  receivedAt: Date,
): Promise<WebhookReading> {
  const post = await readPost(request)
  if (post.kind === 'refused') return post
  const signed = post.signatures.find((signature) =>
    keys.some((key) => verifySignature(key, signature)),
  )
  if (!signed) return refusedUnproven(post.signatures, keys)
  const refused = refusedByAge(signed.timestamp, maxAge, receivedAt)
  if (refused) return refused
  const content = await post.content(signed, inbound)
  if (content.kind === 'refused') return content
  return {
    kind: 'events',
    events: content.events,
    // The signature does not cover the content. A retry brings the same token with the same content;
    // the same token with another one is a forgery. Nothing parts timestamp and token in what is
    // signed, so they count as one: a digit could be moved from one to the other.
    nonce: { token: `${name}:${signed.timestamp}${signed.token}`, content: content.digest },
  }
}

function refusedUnproven(
  signatures: readonly MailgunSignature[],
  keys: readonly string[],
): Refusal {
  if (signatures.length === 0) {
    return {
      kind: 'refused',
      reason: 'unsigned',
      detail: 'the body has no signature with timestamp, token and signature',
    }
  }
  // It comes again then, so that nothing is lost until the right key is there.
  if (keys.some(isApiKey)) return { kind: 'refused', reason: 'api-key', detail: apiKeyDetail }
  const isOfSubaccount = signatures.some(({ parentSignature }) => parentSignature !== undefined)
  return {
    kind: 'refused',
    reason: 'bad-signature',
    detail: isOfSubaccount
      ? 'it is the event of a subaccount, and neither its signature nor its parent-signature fits: pass the HTTP webhook signing key of the subaccount or of its parent account, which is not the API key'
      : 'the signature fits none of the signing keys: the HTTP webhook signing key is asked for, which is not the API key, and every account has its own',
  }
}
