import { invalid } from '../../mail-options.js'
import type { OutgoingMail } from '../../provider-client.js'
import type { Attachment } from '../../resolved-mail.js'

export interface SendgridAttachment {
  /** In base64. */
  content: string
  filename: string
  type: string
  disposition: 'inline' | 'attachment'
  content_id?: string
}

/**
 * The files of a message, and the calendar event as one of them, as Nodemailer has it.
 *
 * @param lost takes the names of what they go without
 */
export function toAttachments(
  { attachments, calendar }: OutgoingMail,
  lost: string[],
): SendgridAttachment[] {
  return [
    ...attachments.map((file, index) => toAttachment(file, `attachments[${index}]`, lost)),
    ...(calendar
      ? [toAttachment({ ...calendar, contentType: 'application/ics' }, 'icalEvent', lost)]
      : []),
  ]
}

// SendGrid names the file itself, and takes text for UTF-8.
const needlessParameter = /^(?:name=|charset="?(?:utf-?8|us-ascii)"?$)/i

function toAttachment(
  { filename, contentType, content, contentId, inline }: Attachment,
  name: string,
  lost: string[],
): SendgridAttachment {
  if (content.length === 0) {
    throw invalid(`SendGrid takes no empty attachment: ${filename} is empty`)
  }
  checkLine(filename, `${name}.filename`)
  checkLine(contentType, `${name}.contentType`)
  checkLine(contentId ?? '', `${name}.cid`)
  // SendGrid allows no semicolon here.
  const [type, ...parameters] = contentType.split(';').map((part) => part.trim())
  for (const parameter of parameters) {
    if (parameter !== '' && !needlessParameter.test(parameter)) {
      lost.push(`${parameter} of the attachment ${filename}`)
    }
  }
  return {
    content: content.toString('base64'),
    filename,
    type: type || 'application/octet-stream',
    disposition: inline || contentId !== undefined ? 'inline' : 'attachment',
    ...(contentId !== undefined && { content_id: contentId }),
  }
}

function checkLine(value: string, name: string): void {
  if (/[\r\n]/.test(value)) throw invalid(`SendGrid takes no line break in ${name}`)
}
