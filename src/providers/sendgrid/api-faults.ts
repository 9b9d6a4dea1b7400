import { type Fields, fields, text, texts } from '../../payload.js'
import { badRequest, errorsPage, type Fault, isText, list } from './fault.js'
import { fillingFault, parametersFault } from './parameter-faults.js'

const isBase64 = (value: unknown): boolean =>
  typeof value === 'string' && value.length % 4 === 0 && /^[A-Za-z\d+/]+={0,2}$/.test(value)
const isMailbox = ({ email }: Fields): boolean => /^[!-~]+@[!-~]+$/.test(text(email) ?? '')

function isMailboxes(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && list(value).every(isMailbox)
}

/** The first thing in the body of `POST /v3/mail/send` that the real API would refuse. */
export function findFault(mail: Fields, now: Date): Fault | undefined {
  return (
    recipientsFault(mail) ??
    headFault(mail) ??
    contentFault(mail) ??
    detailFault(mail) ??
    parametersFault(mail, now)
  )
}

function recipientsFault(mail: Fields): Fault | undefined {
  const personalizations = list(mail['personalizations'])
  if (personalizations.length === 0) {
    return {
      message: 'The personalizations field is required and must have at least one personalization.',
      field: 'personalizations',
    }
  }
  const recipients = personalizations.flatMap(({ to, cc, bcc }) => [to, cc, bcc].flatMap(list))
  if (recipients.length > 1000) {
    return {
      message: 'There is a limit of 1000 recipients per request.',
      field: 'personalizations',
    }
  }
  for (const [index, personalization] of personalizations.entries()) {
    const field = `personalizations.${index}`
    const fault =
      personalizationFault(personalization, field) ??
      fillingFault(personalization, mail['template_id'], field)
    if (fault) return fault
  }
  return undefined
}

function personalizationFault(personalization: Fields, field: string): Fault | undefined {
  if (!isMailboxes(personalization['to'])) {
    return {
      message:
        'The to array is required for all personalization objects, and must have at least one email object with a valid email address.',
      field: `${field}.to`,
      help: `${errorsPage}#message.personalizations.to`,
    }
  }
  for (const kind of ['cc', 'bcc']) {
    if (personalization[kind] !== undefined && !isMailboxes(personalization[kind])) {
      return {
        message: `The ${kind} array, when used, must at least have an email parameter with a valid email address.`,
        field: `${field}.${kind}`,
      }
    }
  }
  return duplicateFault(personalization, field) ?? customArgsFault(personalization['custom_args'])
}

function duplicateFault(personalization: Fields, field: string): Fault | undefined {
  const seen = new Set<string>()
  for (const kind of ['to', 'cc', 'bcc']) {
    for (const { email } of list(personalization[kind])) {
      const address = String(email)
      if (seen.has(address.toLowerCase())) {
        return {
          message: `Each email address in the personalization block should be unique between to, cc, and bcc. We found the first duplicate instance of [${address}] in the ${field}.${kind} field.`,
          field,
          help: `${errorsPage}#message.recipient-errors`,
        }
      }
      seen.add(address.toLowerCase())
    }
  }
  return undefined
}

function customArgsFault(args: unknown): Fault | undefined {
  if (args === undefined) return undefined
  const values = Object.values(fields(args))
  if (values.length === 0 || values.some((value) => typeof value !== 'string')) return badRequest
  return Buffer.byteLength(JSON.stringify(args)) > 10_000
    ? { message: 'The custom_args are over 10000 bytes.', field: 'custom_args' }
    : undefined
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
  if (mail['reply_to_list'] !== undefined && !isMailboxes(mail['reply_to_list'])) {
    return { message: 'The reply_to_list must hold valid addresses.', field: 'reply_to_list' }
  }
  return isText(mail['subject']) || lacksOfTemplate(mail, 'subject')
    ? customArgsFault(mail['custom_args'])
    : { message: 'The subject is required.', field: 'subject' }
}

/** What a template has instead may be left out, and not be empty. */
function lacksOfTemplate(mail: Fields, name: string): boolean {
  return mail['template_id'] !== undefined && mail[name] === undefined
}

const contentOrder = ['text/plain', 'text/html']

function contentFault(mail: Fields): Fault | undefined {
  if (lacksOfTemplate(mail, 'content')) return undefined
  const content = list(mail['content'])
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
  const types = content.map(({ type }) => String(type))
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

const reservedHeaders =
  /^(?:x-sg-id|x-sg-eid|received|dkim-signature|content-type|content-transfer-encoding|to|from|subject|reply-to|cc|bcc)$/i

function detailFault(mail: Fields): Fault | undefined {
  for (const [index, attachment] of list(mail['attachments']).entries()) {
    const fault = attachmentFault(attachment, `attachments.${index}`)
    if (fault) return fault
  }
  for (const [name, value] of Object.entries(fields(mail['headers']))) {
    if (typeof value !== 'string') return badRequest
    if (reservedHeaders.test(name) || !/^[!-~]+$/.test(name)) {
      return { message: `The header ${name} cannot be used.`, field: 'headers' }
    }
  }
  const categories = texts(mail['categories'])
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
  if (!isText(filename)) {
    return { message: 'The attachment filename is required.', field: `${field}.filename` }
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
  return /[\r\n]/.test(text(contentId) ?? '')
    ? { message: 'The content_id cannot have line breaks.', field: `${field}.content_id` }
    : undefined
}
