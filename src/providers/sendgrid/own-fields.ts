import { messageOf } from '../../errors.js'
import { invalid } from '../../mail-options.js'
import { type Fields, fields, isFields } from '../../payload.js'
import type { SendgridMailOptions } from './mail-options.js'

interface Rule {
  fits: (value: unknown) => boolean
  /** What the parameter must be. */
  words: string
}

const isText = (value: unknown): boolean => typeof value === 'string' && value.trim() !== ''
const isString = (value: unknown): boolean => typeof value === 'string'
const isWhole = (value: unknown): boolean => Number.isSafeInteger(value)
const isRecord = (value: unknown, fits: (entry: unknown) => boolean): boolean =>
  isFields(value) && Object.values(value).every(fits)

function isAsm(value: unknown): boolean {
  const { group_id, groups_to_display = [] } = fields(value)
  return (
    isWhole(group_id) &&
    Array.isArray(groups_to_display) &&
    groups_to_display.length <= 25 &&
    groups_to_display.every(isWhole)
  )
}

const aText: Rule = { fits: isText, words: 'a text that is not empty' }
const settings: Rule = {
  fits: (value) => isRecord(value, (entry) => typeof fields(entry)['enable'] === 'boolean'),
  words: 'an object of settings, each with enable as true or false',
}

const rules: Readonly<Record<keyof SendgridMailOptions, Rule>> = {
  asm: {
    fits: isAsm,
    words: 'an object with a whole number as group_id, and at most 25 of them as groups_to_display',
  },
  batch_id: aText,
  categories: {
    fits: (value) => Array.isArray(value) && value.every(isString),
    words: 'a list of texts',
  },
  ip_pool_name: {
    fits: (value) => typeof value === 'string' && value.length >= 2 && value.length <= 64,
    words: 'a text of 2 to 64 characters',
  },
  mail_settings: settings,
  sections: {
    fits: (value) => isRecord(value, isString),
    words: 'an object of texts',
  },
  send_at: { fits: isWhole, words: 'a whole number of seconds since 1970' },
  template_id: aText,
  tracking_settings: settings,
}

// Merged, they would take away recipients, content or our id; each has a field that says the same.
const saidElsewhere = new Map([
  ['attachments', 'attachments'],
  ['content', 'text, html, amp, watchHtml, alternatives and icalEvent'],
  ['custom_args', 'metadata'],
  ['from', 'from'],
  ['headers', 'headers'],
  ['personalizations', 'to, cc, bcc, metadata, templateData and recipientData'],
  ['reply_to', 'replyTo'],
  ['reply_to_list', 'replyTo'],
  ['subject', 'subject'],
])

/** @throws SendError for what must not be merged into a message, and for what SendGrid does not know */
export function checkNames(own: Fields): void {
  for (const [name, value] of Object.entries(own)) {
    if (value === undefined) continue
    const field = saidElsewhere.get(name)
    if (field !== undefined) {
      throw invalid(`sendgrid.${name} cannot be merged into a message: use ${field}`)
    }
    if (!Object.hasOwn(rules, name)) {
      throw invalid(`sendgrid takes ${Object.keys(rules).join(', ')}, and not ${name}`)
    }
  }
}

/** @throws SendError for what SendGrid would refuse */
export function checkValues(
  parameters: Fields,
): asserts parameters is Fields & SendgridMailOptions {
  for (const [name, { fits, words }] of Object.entries(rules)) {
    const value = parameters[name]
    if (value !== undefined && !fits(value)) throw invalid(`sendgrid.${name} must be ${words}`)
  }
}

/**
 * A copy as it goes on the wire, so that nobody changes it on its way.
 *
 * @param name the option that it stands in
 */
export function asJson(name: string, value: Fields): Fields {
  try {
    return fields(JSON.parse(JSON.stringify(value)))
  } catch (error) {
    throw invalid(`${name} cannot be written as JSON: ${messageOf(error)}`)
  }
}
