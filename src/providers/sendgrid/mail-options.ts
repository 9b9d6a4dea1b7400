import { mergedDeep } from '../../deep-merge.js'
import { messageOf } from '../../errors.js'
import { invalid } from '../../mail-options.js'
import { type Fields, fields, isFields } from '../../payload.js'
import type { OutgoingMail } from '../../provider-client.js'

/**
 * What a message may have under `sendgrid`: parameters of SendGrid's Mail Send API, named as there. They
 * are merged over what the other fields of the message say, lists as a whole.
 */
export interface SendgridMailOptions {
  /** The unsubscribe group that it belongs to, and those that its recipients are shown, 25 at most. */
  asm?: { group_id: number; groups_to_display?: readonly number[] }
  /** From `POST /v3/mail/batch`; what is sent at a later time can be cancelled by it. */
  batch_id?: string
  /** In place of `tags`: 10 at most, of 255 ASCII characters each. */
  categories?: readonly string[]
  /** Of 2 to 64 characters. */
  ip_pool_name?: string
  /** What is done with the mail. */
  mail_settings?: SendgridMailSettings
  /** Blocks of text for templates of the old kind, and for text with tags in it. */
  sections?: Readonly<Record<string, string>>
  /** In place of `sendAt`, in seconds since 1970. */
  send_at?: number
  /** In place of `templateId`. */
  template_id?: string
  /** What is told of it. */
  tracking_settings?: SendgridTrackingSettings
}

/** What SendGrid does with the mail, named as there. */
export interface SendgridMailSettings {
  bypass_list_management?: { enable: boolean }
  bypass_spam_management?: { enable: boolean }
  bypass_bounce_management?: { enable: boolean }
  bypass_unsubscribe_management?: { enable: boolean }
  footer?: { enable: boolean; text?: string; html?: string }
  /** The message is checked and not sent, and no event is told of it. */
  sandbox_mode?: { enable: boolean }
  /** No longer documented. */
  bcc?: { enable: boolean; email: string }
  /** No longer documented. */
  spam_check?: { enable: boolean; threshold?: number; post_to_url?: string }
}

/** What SendGrid tells of the mail, named as there. */
export interface SendgridTrackingSettings {
  /** `enable` is what `trackClicks` says, and `enable_text` is false with that unless it stands here. */
  click_tracking?: { enable?: boolean; enable_text?: boolean }
  /** `enable` is what `trackOpens` says, unless it stands here. */
  open_tracking?: { enable?: boolean; substitution_tag?: string }
  subscription_tracking?: {
    enable: boolean
    text?: string
    html?: string
    substitution_tag?: string
  }
  ganalytics?: {
    enable: boolean
    utm_source?: string
    utm_medium?: string
    utm_term?: string
    utm_content?: string
    utm_campaign?: string
  }
}

declare module '../../transporter.js' {
  interface ProviderMailOptions {
    /** Parameters of SendGrid's Mail Send API, named as there. */
    sendgrid?: SendgridMailOptions
  }
}

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

/**
 * The parameters that the portable options stand for, with the message's own merged over them, as a copy.
 *
 * @throws SendError for what SendGrid would refuse, and for what it must not be given here
 */
export function parametersOf(mail: OutgoingMail, now: number): SendgridMailOptions {
  checkNames(mail.own)
  const parameters = asJson('sendgrid', mergedDeep(portableParameters(mail), mail.own))
  checkValues(parameters)
  const { categories, send_at, ...others } = parameters
  if (send_at !== undefined) checkTime(send_at, mail, now)
  return {
    ...others,
    ...(send_at !== undefined && { send_at }),
    ...(categories && categories.length > 0 && { categories: checkedCategories(categories) }),
  }
}

function checkNames(own: Fields): void {
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

function checkValues(parameters: Fields): asserts parameters is Fields & SendgridMailOptions {
  for (const [name, { fits, words }] of Object.entries(rules)) {
    const value = parameters[name]
    if (value !== undefined && !fits(value)) throw invalid(`sendgrid.${name} must be ${words}`)
  }
}

function portableParameters(mail: OutgoingMail): Fields {
  const { tags, templateId, sendAt, trackOpens, trackClicks } = mail
  return {
    ...(tags.length > 0 && { categories: tags }),
    ...(templateId !== undefined && { template_id: templateId }),
    ...(sendAt && { send_at: Math.floor(sendAt.getTime() / 1000) }),
    ...((trackOpens ?? trackClicks) !== undefined && {
      tracking_settings: {
        ...(trackOpens !== undefined && { open_tracking: { enable: trackOpens } }),
        // Links of plain text are read as they are written.
        ...(trackClicks !== undefined && {
          click_tracking: { enable: trackClicks, enable_text: false },
        }),
      },
    }),
  }
}

const mostAhead = 72 * 60 * 60 * 1000

function checkTime(seconds: number, { sendAt, own }: OutgoingMail, now: number): void {
  if (seconds * 1000 - now <= mostAhead) return
  const given =
    sendAt && own['send_at'] === undefined
      ? `sendAt is ${sendAt.toISOString()}`
      : `sendgrid.send_at is ${seconds}, which counts seconds`
  throw invalid(`SendGrid takes a message at most 72 hours ahead of its time, and ${given}`)
}

const mostCategories = 10

function checkedCategories(categories: readonly string[]): string[] {
  const unique = [...new Set(categories)]
  if (unique.length > mostCategories) {
    throw invalid(`SendGrid takes ${mostCategories} tags (categories), and not ${unique.length}`)
  }
  for (const category of unique) {
    if (!/^[ -~]{1,255}$/.test(category)) {
      throw invalid(`SendGrid takes tags of 1 to 255 ASCII characters: ${JSON.stringify(category)}`)
    }
  }
  return unique
}

/** What fills a template, or tags in the text: the field of a personalization that it goes into. */
export interface Filling {
  dynamic_template_data?: Fields
  substitutions?: Record<string, string>
}

/**
 * @param option the name of the option that it stands in
 * @throws SendError for what a template of the old kind cannot take, which is all but plain values
 */
export function fillingOf(
  option: string,
  templateData: Fields,
  templateId: string | undefined,
): Filling {
  const data = asJson(option, templateData)
  if (Object.keys(data).length === 0) return {}
  return templateId?.startsWith('d-')
    ? { dynamic_template_data: data }
    : { substitutions: substitutions(option, data) }
}

function substitutions(option: string, data: Fields): Record<string, string> {
  return Object.fromEntries(
    Object.entries(data).map(([name, value]) => {
      if (!['string', 'number', 'boolean'].includes(typeof value)) {
        throw invalid(
          `${option}.${name} must be a text, a number, true or false: only a dynamic template, whose id begins with d-, takes more`,
        )
      }
      return [tagOf(name), String(value)]
    }),
  )
}

/** A bare word would be replaced wherever it stands in the text, so it means a tag, as with the SDK. */
function tagOf(name: string): string {
  return /^\w+$/.test(name) ? `{{${name}}}` : name
}

/** A copy as it goes on the wire, so that nobody changes it on its way. */
function asJson(name: string, value: Fields): Fields {
  try {
    return fields(JSON.parse(JSON.stringify(value)))
  } catch (error) {
    throw invalid(`${name} cannot be written as JSON: ${messageOf(error)}`)
  }
}
