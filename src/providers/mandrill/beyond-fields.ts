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
  const nodes = nodesOf(message)
  return [
    ...severalSenders(head),
    ...lost,
    ...nodes.flatMap(idOfNoImage),
    // It would arrive garbled (django-anymail's notes).
    ...(nodes.some(hasForeignName) ? ['a file name beyond ASCII'] : []),
  ]
}

export function severalSenders({ from }: Pick<MailHead, 'from'>): string[] {
  return from.length > 1 ? ['more than one from address'] : []
}

export const lostContentId = (contentId: string): string =>
  `the cid ${contentId}, which is not an image's`

/** Only images can be shown inside a message. */
export const isImageType = (contentType: string): boolean => /^image\//i.test(contentType)

/** Images that the HTML shows have no name there. */
function hasForeignName(node: MimeTree): boolean {
  const name = text(Reflect.get(node, 'filename')) ?? ''
  return /[\u0080-\uffff]/.test(name) && node.getHeader('Content-Id') === undefined
}

function idOfNoImage(node: MimeTree): string[] {
  const contentId = text(node.getHeader('Content-Id'))?.replace(/^<|>$/g, '')
  if (contentId === undefined || isImageType(text(node.getHeader('Content-Type')) ?? '')) return []
  return [lostContentId(contentId)]
}
