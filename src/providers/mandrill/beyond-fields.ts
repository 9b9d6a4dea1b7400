import { headersByName, type MailHead } from '../../mail-head.js'
import { type MimeTree, nodesOf } from '../../nodemailer-mail.js'
import { text } from '../../payload.js'

/**
 * What of a message the parameters of `messages/send` cannot say, by the name that the caller gave it:
 * it is sent as a document then.
 */
export function beyondFields(head: MailHead, message: MimeTree): string[] {
  const lost: string[] = []
  headersByName(head.headers, lost)
  return [...severalSenders(head), ...lost, ...nodesOf(message).flatMap(idOfNoImage)]
}

export function severalSenders({ from }: Pick<MailHead, 'from'>): string[] {
  return from.length > 1 ? ['more than one from address'] : []
}

export const lostContentId = (contentId: string): string =>
  `the cid ${contentId}, which is not an image's`

/** Only images can be shown inside a message. */
export const isImageType = (contentType: string): boolean => /^image\//i.test(contentType)

function idOfNoImage(node: MimeTree): string[] {
  const contentId = text(node.getHeader('Content-Id'))?.replace(/^<|>$/g, '')
  if (contentId === undefined || isImageType(text(node.getHeader('Content-Type')) ?? '')) return []
  return [lostContentId(contentId)]
}
