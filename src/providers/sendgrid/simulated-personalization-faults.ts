import { type Fields, fields, isFields, listOfFields, text } from '../../payload.js'
import {
  badRequest,
  customArgsFault,
  errorsPage,
  type Fault,
  headersFault,
  isMailbox,
  isText,
  isTexts,
  mailboxesFault,
} from './simulated-field-faults.js'
import { mailboxesOf } from './simulated-event.js'
import { timeFault } from './simulated-parameter-faults.js'

const most = 1000

/** What is wrong with those whom a message goes to, and with what differs between them. */
export function personalizationsFault(mail: Fields, now: Date): Fault | undefined {
  const personalizations = listOfFields(mail['personalizations'])
  if (personalizations.length === 0) {
    return {
      message: 'The personalizations field is required and must have at least one personalization.',
      field: 'personalizations',
    }
  }
  if (personalizations.length > most) return tooMany('personalizations')
  const recipients = personalizations.flatMap(mailboxesOf)
  if (recipients.length > most) return tooMany('recipients')
  for (const [index, personalization] of personalizations.entries()) {
    const field = `personalizations.${index}`
    const fault =
      recipientsFault(personalization, field) ??
      differencesFault(personalization, mail, field) ??
      timeFault(personalization['send_at'], now) ??
      fillingFault(personalization, mail['template_id'], field)
    if (fault) return fault
  }
  return undefined
}

const tooMany = (what: string): Fault => ({
  message: `There is a limit of ${most} ${what} per request.`,
  field: 'personalizations',
})

const kinds = ['to', 'cc', 'bcc']

function recipientsFault(personalization: Fields, field: string): Fault | undefined {
  const toFault: Fault = {
    message:
      'The to array is required for all personalization objects, and must have at least one email object with a valid email address.',
    field: `${field}.to`,
    help: `${errorsPage}#message.personalizations.to`,
  }
  const copyFault = (kind: string): Fault => ({
    message: `The ${kind} array, when used, must at least have an email parameter with a valid email address.`,
    field: `${field}.${kind}`,
  })
  return (
    mailboxesFault(personalization['to'] ?? [], toFault) ??
    mailboxesFault(personalization['cc'], copyFault('cc')) ??
    mailboxesFault(personalization['bcc'], copyFault('bcc')) ??
    duplicateFault(personalization, field)
  )
}

function duplicateFault(personalization: Fields, field: string): Fault | undefined {
  const seen = new Set<string>()
  for (const kind of kinds) {
    for (const { email } of listOfFields(personalization[kind])) {
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

const known = new Set([
  ...kinds,
  'custom_args',
  'dynamic_template_data',
  'from',
  'headers',
  'send_at',
  'subject',
  'substitutions',
])

/** What is wrong with what a personalization has in place of the message's own. */
function differencesFault(personalization: Fields, mail: Fields, field: string): Fault | undefined {
  const { subject, headers, custom_args: args } = personalization
  if (Object.keys(personalization).some((name) => !known.has(name))) return badRequest
  if (subject !== undefined && !isText(subject)) {
    return {
      message: 'The personalization subject must be a string at least one character in length.',
      field: `${field}.subject`,
    }
  }
  return (
    senderFault(personalization['from'], mail['from'], `${field}.from`) ??
    headersFault(headers, `${field}.headers`) ??
    customArgsFault(args) ??
    // What SendGrid keeps is both in one.
    (args === undefined
      ? undefined
      : customArgsFault({ ...fields(mail['custom_args']), ...fields(args) }))
  )
}

const domainOf = (sender: unknown): string | undefined =>
  text(fields(sender)['email'])?.toLowerCase().split('@').at(-1)

function senderFault(sender: unknown, root: unknown, field: string): Fault | undefined {
  if (sender === undefined) return undefined
  return isMailbox(fields(sender)) && domainOf(sender) === domainOf(root)
    ? undefined
    : { message: 'The from must have the same domain as the from of the message.', field }
}

const isDynamic = (templateId: unknown): boolean => String(templateId).startsWith('d-')

/** What is wrong with the data that a personalization fills a template with. */
function fillingFault(
  { substitutions, dynamic_template_data: data }: Fields,
  templateId: unknown,
  field: string,
): Fault | undefined {
  const help = `${errorsPage}#message.personalizations.substitutions`
  if (substitutions !== undefined) {
    const named = { field: `${field}.substitutions`, help }
    if (isDynamic(templateId)) {
      return { message: 'Substitutions may not be used with dynamic templating', ...named }
    }
    if (!isTexts(substitutions)) return badRequest
    if (Buffer.byteLength(JSON.stringify(substitutions)) > 10_000) {
      return { message: 'The substitutions are over 10000 bytes.', ...named }
    }
  }
  if (data === undefined) return undefined
  if (!isFields(data)) return badRequest
  return isDynamic(templateId)
    ? undefined
    : {
        message: 'dynamic_template_data may only be used with a dynamic template.',
        field: `${field}.dynamic_template_data`,
      }
}
