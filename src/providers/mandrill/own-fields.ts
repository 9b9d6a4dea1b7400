import { checkedMetadata, invalid } from '../../mail-options.js'
import { ownIdKey } from '../../matching.js'
import { type Fields, isFields } from '../../payload.js'
import { providerWrites } from '../../mail-head.js'

/** What stands under `mandrill` in a message, safe to be merged into what we send. */
export interface OwnFields {
  /** Beside `message`. */
  call: Fields
  /** Beside `headers` and `metadata`. */
  message: Fields
  headers: Fields
  metadata: Record<string, string>
}

const refused = new Map([
  ['key', 'it is the apiKey of the transport'],
  ['outputFormat', 'an answer in another format could not be read'],
  ['template_name', 'templateId says it'],
  ['message.to', 'to, cc and bcc say it'],
  ['message.from_email', 'from says it'],
  ['message.merge_vars', 'recipientData says it'],
  ['message.recipient_metadata', 'recipientData says it'],
  [`message.metadata.${ownIdKey}`, 'it is our id, by which events find their message'],
])

// They would stand beside what says the same, or replace the Message-ID that was recorded.
const isComposed = (header: string): boolean =>
  /^(?:from|to|cc|bcc|subject|message-id)$/i.test(header) || providerWrites.test(header)

/** @throws SendError for what must not be replaced */
export function readOwn(own: Fields): OwnFields {
  const { message: givenMessage, ...call } = own
  const { headers, metadata, ...message } = objectIn('message', givenMessage)
  const ownHeaders = objectIn('message.headers', headers)
  const ownMetadata = objectIn('message.metadata', metadata)
  refuse('', call)
  refuse('message.', message)
  refuse('message.metadata.', ownMetadata)
  const header = Object.keys(ownHeaders).find(isComposed)
  if (header !== undefined) {
    throw invalid(
      `mandrill.message.headers.${header} cannot be given: it is composed from the message`,
    )
  }
  return {
    call,
    message,
    headers: ownHeaders,
    metadata: checkedMetadata({ metadata: ownMetadata }),
  }
}

/** The headers by the names that the message has for them: in other letters they would go twice. */
export function namedAlike(headers: Fields, known: Fields): Fields {
  const names = new Map(Object.keys(known).map((name) => [name.toLowerCase(), name]))
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [names.get(name.toLowerCase()) ?? name, value]),
  )
}

/** Anything else would take the place of what it is merged into. */
function objectIn(path: string, value: unknown): Fields {
  if (value === undefined || value === null) return {}
  if (isFields(value) && !(value instanceof Map)) return value
  throw invalid(`mandrill.${path} must be an object`)
}

/** By its presence alone: whoever names it means something by it. */
function refuse(prefix: string, given: Fields): void {
  for (const name of Object.keys(given)) {
    const reason = refused.get(prefix + name)
    if (reason !== undefined) {
      throw invalid(`mandrill.${prefix}${name} cannot be given: ${reason}`)
    }
  }
}
