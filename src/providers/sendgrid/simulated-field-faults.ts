import { type Fields, fields, isFields, listOfFields, text } from '../../payload.js'

/** Why the real API refuses a message: in its words where they are known, or else in like ones. */
export interface Fault {
  message: string
  field: string | null
  help?: string
}

// What wrong types are answered with (sendgrid-nodejs#288).
export const badRequest: Fault = { message: 'Bad Request', field: null }

/** The page that the API's own help points to. */
export const errorsPage = 'http://sendgrid.com/docs/API_Reference/Web_API_v3/Mail/errors.html'

export const isText = (value: unknown): boolean => typeof value === 'string' && value !== ''

export const isTexts = (value: unknown): boolean =>
  isFields(value) && Object.values(value).every((entry) => typeof entry === 'string')

// Fields that a message has, and each of its personalizations too.

export const isMailbox = ({ email }: Fields): boolean => /^[!-~]+@[!-~]+$/.test(text(email) ?? '')

/** The fault, where there is not one mailbox at least, or one that is none. */
export function mailboxesFault(value: unknown, fault: Fault): Fault | undefined {
  if (value === undefined) return undefined
  const mailboxes = listOfFields(value)
  if (mailboxes.length === 0 || !mailboxes.every(isMailbox)) return fault
  return mailboxes.every(({ name = '' }) => typeof name === 'string') ? undefined : badRequest
}

export function customArgsFault(args: unknown): Fault | undefined {
  if (args === undefined) return undefined
  if (!isTexts(args) || Object.keys(fields(args)).length === 0) return badRequest
  return Buffer.byteLength(JSON.stringify(args)) > 10_000
    ? { message: 'The custom_args are over 10000 bytes.', field: 'custom_args' }
    : undefined
}

const reserved =
  /^(?:x-sg-id|x-sg-eid|received|dkim-signature|content-type|content-transfer-encoding|to|from|subject|reply-to|cc|bcc)$/i

export function headersFault(headers: unknown, field: string): Fault | undefined {
  if (headers === undefined) return undefined
  if (!isTexts(headers)) return badRequest
  const names = Object.keys(fields(headers))
  const wrong = names.find((name) => reserved.test(name) || !/^[!-~]+$/.test(name))
  if (wrong !== undefined) return { message: `The header ${wrong} cannot be used.`, field }
  return new Set(names.map((name) => name.toLowerCase())).size < names.length
    ? { message: 'Each header may be there once.', field }
    : undefined
}
