import { type Fields, listOfFields, text, texts } from '../../payload.js'
import { latestSendAt } from './send-at.js'
import type { SimulatedDocument } from './simulated-document.js'
import { isAddress, timeOf } from './simulated-fields.js'

/** What Mandrill finds wrong, by the name of the field. */
export type Fault = Record<string, unknown>

export function findMessageFault(mail: Fields): Fault | undefined {
  const fault = messageFault(mail)
  return fault && { message: fault }
}

function messageFault(mail: Fields): Fault | undefined {
  if (!isAddress(mail['from_email'])) {
    return { from_email: 'An email address must contain a single @' }
  }
  if (listOfFields(mail['to']).length === 0) return { to: 'Please provide at least one recipient' }
  const images = listOfFields(mail['images'])
  const files = [...listOfFields(mail['attachments']), ...images]
  if (files.some(({ content }) => typeof content !== 'string')) {
    return { attachments: 'Please provide base64-encoded content' }
  }
  if (images.some(({ type }) => !text(type)?.startsWith('image/'))) {
    return { images: 'The type of an image must start with image/' }
  }
  const handlebars = mail['merge_language'] === 'handlebars'
  const each = listOfFields(mail['merge_vars'])
  return (
    varsFault('global_merge_vars', listOfFields(mail['global_merge_vars']), handlebars) ??
    varsFault(
      'merge_vars',
      each.flatMap(({ vars }) => listOfFields(vars)),
      handlebars,
    ) ??
    tagsFault(texts(mail['tags']))
  )
}

export function documentFault(
  { sender, tags }: SimulatedDocument,
  recipients: readonly string[],
): Fault | undefined {
  if (!isAddress(sender)) return { from_email: 'An email address must contain a single @' }
  if (recipients.length === 0) return { to: 'Please provide at least one recipient' }
  return tagsFault(tags)
}

function varsFault(field: string, vars: readonly Fields[], handlebars: boolean): Fault | undefined {
  if (vars.some(({ name }) => text(name)?.startsWith('_') ?? true)) {
    return { [field]: 'Names of merge variables may not begin with an underscore' }
  }
  return !handlebars && vars.some(({ content }) => typeof content === 'object')
    ? { [field]: 'The content of a merge variable must be a string' }
    : undefined
}

function tagsFault(tags: readonly string[]): Fault | undefined {
  return tags.some((tag) => tag.startsWith('_'))
    ? { tags: 'Tags may not begin with an underscore' }
    : undefined
}

export function findTimeFault({ send_at }: Fields, now: Date): Fault | undefined {
  if (send_at === undefined || send_at === null) return undefined
  const time = timeOf(send_at)
  if (!time) return { send_at: 'Please enter a date in the format YYYY-MM-DD HH:MM:SS' }
  return time > latestSendAt(now.getTime())
    ? { send_at: 'Messages can be scheduled up to one year ahead' }
    : undefined
}

export function findTemplateFault({ template_name, template_content }: Fields): Fault | undefined {
  if (text(template_name) === undefined) return { template_name: 'Please enter a value' }
  return Array.isArray(template_content) ? undefined : { template_content: 'Please enter an array' }
}
