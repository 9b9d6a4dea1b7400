import type { MailHeader } from '../../event.js'
import type { Form } from '../../form.js'
import { texts } from '../../payload.js'
import { headerPairs, mimeField, type PostedFields } from './posted-form.js'

/** The fields of a mail, Mailgun's own told from the headers that stand among them. */
export interface PostedMail {
  posted: PostedFields
  /** `message-headers`; undefined when they are not there, or broken. */
  headers: MailHeader[] | undefined
  /** What Mailgun has put into a field, in its order: without what came there as a header. */
  own(name: string): string[]
  /** The same of a field that has one value, and where no such is left, whatever stands there. */
  value(name: string): string | undefined
}

/**
 * Mailgun posts every header of a mail as a field of its name, so that who writes a mail can add to any
 * field, and where its value stands among others is not documented. But `message-headers` tells all
 * headers: what is in a field and in it was the sender's.
 */
export function postedMail(posted: PostedFields): PostedMail {
  // A header of this name is told in Mailgun's own value, which is therefore the longest.
  const longest = (posted.get('message-headers') ?? []).toSorted((a, b) => b.length - a.length)[0]
  const headers = headerPairs(longest)?.map(([name, value]) => ({
    name,
    value: texts(value)[0] ?? '',
  }))

  function own(name: string): string[] {
    const asHeaders = new Map<string, number>()
    for (const header of headers ?? []) {
      if (header.name !== name) continue
      asHeaders.set(header.value, (asHeaders.get(header.value) ?? 0) + 1)
    }
    return (posted.get(name) ?? []).filter((value) => {
      const left = asHeaders.get(value) ?? 0
      if (left > 0) asHeaders.set(value, left - 1)
      return left === 0
    })
  }

  return { posted, headers, own, value: (name) => own(name)[0] ?? posted.get(name)?.[0] }
}

/** The whole MIME source, which Mailgun posts to a URL that ends in `mime`, as the bytes that came. */
export function sourceIn({ fields, files }: Form, { headers }: PostedMail): Buffer | undefined {
  // A parsed mail has none, unless its sender has written a header of that name.
  if (headers?.some(({ name }) => name === mimeField)) return undefined
  const field = fields.find(({ name }) => name === mimeField)?.value
  return field ?? files.find(({ name }) => name === mimeField)?.content
}

// No event has them, and a sender can keep none of them out of a mail.
const certainOfMail = [
  'message-url',
  'stripped-text',
  'stripped-html',
  'stripped-signature',
  'X-Mailgun-Incoming',
  'X-Envelope-From',
  'Received',
]

// Any of them may be a variable of a message, but hardly two.
const likelyOfMail = ['sender', 'from', 'subject']

/**
 * Whether a form is a mail rather than an event. That a field `event` is there proves nothing: who writes
 * a mail with a header of that name must not tell us what became of a message.
 */
export function isInboundMail(form: Form, mail: PostedMail): boolean {
  const { posted } = mail
  const [event = 'inbound'] = mail.own('event')
  const likely = likelyOfMail.filter((name) => posted.has(name))
  return (
    sourceIn(form, mail) !== undefined ||
    certainOfMail.some((name) => posted.has(name)) ||
    likely.length > 1 ||
    (event === 'inbound' && (posted.has('event') || likely.includes('sender')))
  )
}
