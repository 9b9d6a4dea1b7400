import { headersByName, type MailHead, readHeaders } from '../../mail-head.js'
import { headOf } from '../../composed-mail.js'
import { invalid } from '../../mail-options.js'
import { rfcMessageId } from '../../matching.js'
import type { Address } from '../../message.js'

/** What of a head the fields of Mailgun's form cannot say, or not in a way that arrives as it is. */
export function beyondFields(head: MailHead): string[] {
  const { from, replyTo, to, cc } = head
  const quotedAgain = [from, replyTo, to, cc].flat().some(isQuotedAgain)
  return [
    ...lostInFields(head),
    ...(quotedAgain ? ['a name with a comma, quotes or parentheses beside other than ASCII'] : []),
  ]
}

/** What of a head does not arrive at all in the fields of the form. */
export function lostInFields({ to, cc, bcc, headers, messageId }: MailHead): string[] {
  const lost: string[] = []
  headersByName(headers, lost)
  if (to.length === 0 && cc.length + bcc.length > 0) lost.push('cc and bcc without to')
  if (keptMessageId(messageId) === undefined) {
    lost.push('a messageId that is not of the form <left@right>')
  }
  return lost
}

/** Mailgun puts an id of its own in the place of one that is not `left@right` (mailgun.js#394). */
export function keptMessageId(messageId: string): string | undefined {
  const id = rfcMessageId(messageId)
  return id !== undefined && /^<[^<>@\s]+@[^<>@\s]+>$/.test(id) ? id : undefined
}

/** Mailgun writes such a name with quotes that are seen, however it is given (django-anymail#270). */
function isQuotedAgain({ name }: Address): boolean {
  return /[\u0080-\uffff]/.test(name) && /[(),"]/.test(name)
}

/** @throws SendError for what makes no mail that is delivered, or undoes what we say of it */
export function checkHead({ from, headers }: MailHead): void {
  if (from.length === 0) throw invalid('Mailgun needs a from address')
  // Mailgun makes an invalid From of these, which is not delivered (django-anymail's Mailgun page).
  if (from.some(({ address }) => /[\u0080-\uffff].*@/.test(address))) {
    throw invalid('Mailgun takes no from address with other than ASCII before its @')
  }
  checkHeaderNames(headers.map(({ name }) => name))
}

/** The same for what stands in the document itself, which may have come to us as one. */
export function checkDocumentHead(document: Buffer): void {
  checkHeaderNames(readHeaders(headOf(document)).map(({ name }) => name))
}

const optionsOfHeaders: ReadonlyMap<string, string> = new Map([
  // It may take the place of our id, which events are matched by.
  ['x-mailgun-variables', 'metadata'],
  // It makes a message for each recipient of one.
  ['x-mailgun-recipient-variables', 'recipientData'],
])

function checkHeaderNames(names: readonly string[]): void {
  for (const name of names) {
    const option = optionsOfHeaders.get(name.toLowerCase())
    if (option !== undefined) {
      throw invalid(`the header ${name} cannot be used with Mailgun: use ${option} in its place`)
    }
  }
}
