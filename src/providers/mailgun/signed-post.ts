import type { ParsedEvent } from '../../event.js'
import { type Form, FormError, isForm, readForm } from '../../form.js'
import type { InboundOptions } from '../../inbound-mail.js'
import { contentDigest } from '../../matching.js'
import { type Fields, isFields, parseJson, readEach } from '../../payload.js'
import type { Refusal, WebhookRequest } from '../../provider.js'
import { readEvent } from './event-data.js'
import { readInboundMail } from './inbound.js'
import { readLegacyEvents } from './legacy.js'
import { formDigest, postedFields, valuesOf } from './posted-form.js'
import { isInboundMail, postedMail } from './posted-mail.js'
import { type MailgunSignature, signatureIn, signaturesIn } from './signature.js'

/** A body taken apart so far that its signature can be verified: it stands inside. */
export interface SignedPost {
  kind: 'post'
  /** What may be its signature: one of them must be right. */
  signatures: MailgunSignature[]
  /** What it says, by the one that was. */
  content(signed: MailgunSignature, inbound: InboundOptions): Promise<PostContent | Refusal>
}

export interface PostContent {
  kind: 'content'
  events: ParsedEvent[]
  /** The same for the same content. */
  digest: string
}

/** What a request holds, by its content type. It rejects while a package is missing. */
export async function readPost(request: WebhookRequest): Promise<SignedPost | Refusal> {
  const contentType = request.header('content-type') ?? ''
  if (isForm(contentType)) return readFormPost(contentType, request.body)
  if (isJson(contentType)) return readJsonPost(request.body)
  return refuse(
    'unsupported',
    `the content type is ${JSON.stringify(contentType.slice(0, 80))}, and neither JSON nor a form`,
  )
}

const isJson = (contentType: string): boolean =>
  contentType.trim() === '' || /^\s*\w+\/(?:[\w.-]+\+)?json\s*(?:[;,]|$)/i.test(contentType)

// Events are of some KB; what anybody may post must not cost much before it is known whose it is.
const largestEvent = 1024 * 1024

function readJsonPost(body: Buffer): SignedPost | Refusal {
  if (body.length > largestEvent) {
    return refuse('too-large', `the event is over ${largestEvent} bytes`)
  }
  const parsed = parseObject(body)
  if (parsed === undefined) return refuse('malformed', 'the body is not a JSON object')
  const signature = signatureIn(parsed['signature'])
  return {
    kind: 'post',
    signatures: signature ? [signature] : [],
    async content() {
      const entry = parsed['event-data']
      if (!isFields(entry)) return refuse('malformed', 'the body has no event-data')
      return {
        kind: 'content',
        events: readEach([entry], readEvent),
        digest: digestOf(entry, body),
      }
    },
  }
}

/** Of the event, or of the bytes where it is nested too deeply to be written as JSON again. */
function digestOf(entry: Fields, body: Buffer): string {
  try {
    return contentDigest(entry)
  } catch {
    return contentDigest(body.toString('latin1'))
  }
}

function parseObject(body: Buffer): Fields | undefined {
  const value = parseJson(body.toString('utf8'))
  return isFields(value) ? value : undefined
}

async function readFormPost(contentType: string, body: Buffer): Promise<SignedPost | Refusal> {
  let form: Form
  try {
    form = await readForm(contentType, body)
  } catch (error) {
    if (!(error instanceof FormError)) throw error
    return refuse('malformed', error.message)
  }
  return {
    kind: 'post',
    signatures: signaturesIn((name) => valuesOf(form, name)),
    async content({ timestamp }, inbound) {
      const posted = await postedFields(form)
      const mail = postedMail(posted)
      const events = isInboundMail(form, mail)
        ? [await readInboundMail(form, mail, timestamp, inbound)]
        : readLegacyEvents(posted, timestamp)
      // The timestamp counts too, for it is when a legacy event happened; a retry comes with the same.
      return { kind: 'content', events, digest: formDigest(form) }
    },
  }
}

function refuse(reason: Refusal['reason'], detail: string): Refusal {
  return { kind: 'refused', reason, detail }
}
