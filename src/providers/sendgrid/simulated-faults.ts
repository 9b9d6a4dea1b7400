import { type Fields, fields, listOfFields } from '../../payload.js'
import {
  badRequest,
  customArgsFault,
  type Fault,
  headersFault,
  isMailbox,
  isText,
  mailboxesFault,
} from './simulated-field-faults.js'
import { parametersFault } from './simulated-parameter-faults.js'
import { personalizationsFault } from './simulated-personalization-faults.js'

const isBase64 = (value: unknown): boolean =>
  typeof value === 'string' && value.length % 4 === 0 && /^[A-Za-z\d+/]+={0,2}$/.test(value)

/** The first thing in the body of `POST /v3/mail/send` that the real API would refuse. */
export function findFault(mail: Fields, now: Date): Fault | undefined {
  return (
    personalizationsFault(mail, now) ??
    headFault(mail) ??
    contentFault(mail) ??
    detailFault(mail) ??
    parametersFault(mail, now)
  )
}

function headFault(mail: Fields): Fault | undefined {
  if (!isMailbox(fields(mail['from']))) {
    return {
      message: 'The from object must be provided for every email send.',
      field: 'from.email',
    }
  }
  if (mail['reply_to'] !== undefined && mail['reply_to_list'] !== undefined) {
    return { message: 'Only one of reply_to and reply_to_list can be used.', field: 'reply_to' }
  }
  if (!hasSubject(mail)) return { message: 'The subject is required.', field: 'subject' }
  const replyFault = {
    message: 'The reply_to_list must hold up to 1000 valid addresses, each once.',
    field: 'reply_to_list',
  }
  const replies = listOfFields(mail['reply_to_list']).map(({ email }) =>
    String(email).toLowerCase(),
  )
  if (new Set(replies).size < replies.length || replies.length > 1000) return replyFault
  return mailboxesFault(mail['reply_to_list'], replyFault) ?? customArgsFault(mail['custom_args'])
}

/** One of its own, or one of its template, or one for each personalization. */
function hasSubject(mail: Fields): boolean {
  return (
    isText(mail['subject']) ||
    lacksOfTemplate(mail, 'subject') ||
    (mail['subject'] === undefined &&
      listOfFields(mail['personalizations']).every(({ subject }) => isText(subject)))
  )
}

/** What a template has instead may be left out, and not be empty. */
function lacksOfTemplate(mail: Fields, name: string): boolean {
  return mail['template_id'] !== undefined && mail[name] === undefined
}

const contentOrder = ['text/plain', 'text/html']

function contentFault(mail: Fields): Fault | undefined {
  if (lacksOfTemplate(mail, 'content')) return undefined
  const content = listOfFields(mail['content'])
  if (content.length === 0) {
    return {
      message:
        'Unless a valid template_id is provided, the content parameter is required. There must be at least one defined content block.',
      field: 'content',
    }
  }
  for (const [index, { type, value }] of content.entries()) {
    if (!isText(value)) {
      return {
        message: 'The content value must be a string at least one character in length.',
        field: `content.${index}.value`,
      }
    }
    if (!isText(type) || /[;\r\n]/.test(String(type))) {
      return {
        message: 'The content type must be a string without a semicolon or a line break.',
        field: `content.${index}.type`,
      }
    }
  }
  const types = content.map(({ type }) => String(type).toLowerCase())
  const ranks = types.map((type) => {
    const rank = contentOrder.indexOf(type)
    return rank < 0 ? contentOrder.length : rank
  })
  const ordered = ranks.every((rank, index) => index === 0 || rank >= (ranks[index - 1] ?? 0))
  const once = contentOrder.every((type) => types.filter((other) => other === type).length < 2)
  return ordered && once
    ? undefined
    : {
        message:
          'Following RFC 1341, section 7.2, if either text/html or text/plain are to be sent in your email: text/plain needs to be first, followed by text/html, followed by any other content.',
        field: 'content',
      }
}

function detailFault(mail: Fields): Fault | undefined {
  const { attachments = [], categories = [] } = mail
  if (!Array.isArray(attachments) || !isListOfTexts(categories)) return badRequest
  for (const [index, attachment] of listOfFields(attachments).entries()) {
    const fault = attachmentFault(attachment, `attachments.${index}`)
    if (fault) return fault
  }
  return headersFault(mail['headers'], 'headers') ?? categoriesFault(categories)
}

function isListOfTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string')
}

function categoriesFault(categories: readonly string[]): Fault | undefined {
  if (categories.length > 10 || new Set(categories).size < categories.length) {
    return { message: 'There is a limit of 10 unique categories.', field: 'categories' }
  }
  return categories.every((category) => /^[ -~]{1,255}$/.test(category))
    ? undefined
    : { message: 'A category is limited to 255 ASCII characters.', field: 'categories' }
}

function attachmentFault(attachment: Fields, field: string): Fault | undefined {
  const { content, filename, type, disposition, content_id: contentId } = attachment
  if (!isBase64(content)) {
    return {
      message: 'The attachment content must be base64 encoded.',
      field: `${field}.content`,
    }
  }
  if (!isText(filename) || /[\r\n]/.test(String(filename))) {
    return {
      message: 'The attachment filename is required, without line breaks.',
      field: `${field}.filename`,
    }
  }
  if (type !== undefined && (!isText(type) || /[;\r\n]/.test(String(type)))) {
    return { message: 'The attachment type is not valid.', field: `${field}.type` }
  }
  if (disposition !== undefined && disposition !== 'inline' && disposition !== 'attachment') {
    return {
      message: 'The attachment disposition must be inline or attachment.',
      field: `${field}.disposition`,
    }
  }
  if (contentId !== undefined && typeof contentId !== 'string') return badRequest
  return /[\r\n]/.test(contentId ?? '')
    ? { message: 'The content_id cannot have line breaks.', field: `${field}.content_id` }
    : undefined
}
