import { createHash } from 'node:crypto'
import { ConfigurationError } from '../../errors.js'
import type { ParsedEvent } from '../../event.js'
import { type Form, FormError, readForm } from '../../form.js'
import {
  checkedInbound,
  eventOrUnknown,
  inboundEvent,
  type InboundOptions,
  type ReceivedMail,
} from '../../inbound-mail.js'
import { readHead } from '../../mime.js'
import type { Guard, WebhookEndpoint, WebhookReading, WebhookRequest } from '../../provider.js'
import type { KeySource } from '../../signing-keys.js'
import { checkedBytes, checkedGuards } from '../../webhook-options.js'
import { isInboundForm, readFields, type SendgridInboundMail } from './inbound-fields.js'
import { receivedMail } from './received-mail.js'
import { refusedByHead, refusedBySignature } from './signed-request.js'
import { webhookKeys } from './webhook-keys.js'

/** How inbound mail (Inbound Parse) is taken. It needs a key, or a guard in place of it. */
export interface SendgridInboundOptions extends InboundOptions {
  /**
   * The public key of the security policy that is attached to the parse setting, one or several. Without
   * one SendGrid does not sign inbound mail.
   */
  publicKey?: KeySource
  /** Asked after those of the webhook, which hold here too. */
  guards?: readonly Guard[]
  /** The largest body that is read, in bytes; default 40 MB. */
  maxBodyBytes?: number
}

// SendGrid takes mail of up to 30 MB, and adds what it read in it.
const defaultMaxBodyBytes = 40 * 1024 * 1024

/**
 * SendGrid's Inbound Parse.
 *
 * @throws ConfigurationError when nothing keeps strangers out, or an option is wrong
 */
export function inboundEndpoint(
  { publicKey, guards, maxBodyBytes = defaultMaxBodyBytes, ...others }: SendgridInboundOptions,
  webhookGuards: readonly Guard[],
  maxAge: number | undefined,
): WebhookEndpoint {
  const where = 'sendgridWebhook: inbound'
  const asked = [...webhookGuards, ...checkedGuards(where, guards)]
  if (publicKey === undefined && asked.length === 0) {
    throw new ConfigurationError(
      `${where} is open to anybody: pass inbound.publicKey, of a security policy that signs it, or a guard, such as inbound.guards: [querySecret('…')]`,
    )
  }
  const options = checkedInbound(where, others)
  const keysOf = publicKey === undefined ? undefined : webhookKeys(`${where}.publicKey`, publicKey)
  return {
    maxBodyBytes: checkedBytes(where, maxBodyBytes),
    guards: asked,
    refusedByHead: (request) => keysOf && refusedByHead(request, remedy),
    async read(request, receivedAt) {
      const keys = await keysOf?.()
      const refused = keys && refusedBySignature(request, { keys, maxAge, remedy }, receivedAt)
      return refused ?? readMail(request, options)
    },
  }
}

const remedy = 'attach a security policy with a signature to the parse setting in SendGrid'

async function readMail(request: WebhookRequest, options: InboundOptions): Promise<WebhookReading> {
  const contentType = request.header('content-type') ?? ''
  if (!/^\s*multipart\/form-data\s*(?:;|$)/i.test(contentType)) {
    const detail = 'the body is no multipart form, as Inbound Parse posts it'
    return { kind: 'refused', reason: 'unsupported', detail }
  }
  let form: Form
  try {
    form = await readForm(contentType, request.body)
  } catch (error) {
    if (!(error instanceof FormError)) throw error
    return { kind: 'refused', reason: 'malformed', detail: error.message }
  }
  if (!isInboundForm(form)) {
    const detail = 'the form has none of the fields headers, email, rawEmail, envelope and from'
    return { kind: 'refused', reason: 'malformed', detail }
  }
  return { kind: 'events', events: [await readEvent(form, request.body, options)] }
}

// The Message-ID that SendGrid gives a message, in place of ours where the domain is not
// authenticated (django-anymail#108): the X-Message-Id stands before the @.
const sendgridMessageId =
  /^<([^@<>\s]+)@(?:geopod-ismtpd-[\w-]+|ismtpd[\w-]*(?:\.sendgrid\.net)?)>$/

/** The id of the message that a mail answers, the nearest of its thread. */
function answeredId(references: readonly string[]): string | undefined {
  for (const messageId of references) {
    const [, id] = sendgridMessageId.exec(messageId) ?? []
    if (id !== undefined) return id
  }
  return undefined
}

async function readEvent(form: Form, body: Buffer, options: InboundOptions): Promise<ParsedEvent> {
  let raw: SendgridInboundMail = {}
  return eventOrUnknown(
    async () => {
      const given = await readFields(form)
      raw = given.raw
      const mail = await receivedMail(form, given)
      const providerMessageId = answeredId(await referencesOf(mail))
      return inboundEvent(mail, { providerEvent, providerMessageId, raw }, options)
    },
    () => ({
      providerEvent,
      raw,
      discriminator: createHash('sha256').update(body).digest('hex'),
    }),
  )
}

const providerEvent = 'inbound'

async function referencesOf({ headers }: ReceivedMail): Promise<string[]> {
  const { inReplyTo, references } = await readHead(
    headers.filter(({ name }) => /^(?:in-reply-to|references)$/i.test(name)),
  )
  return [...(inReplyTo === undefined ? [] : [inReplyTo]), ...references.toReversed()]
}
