import { type Fields, fields, isFields } from '../../payload.js'
import { badRequest, errorsPage, type Fault, isText, isTexts } from './simulated-field-faults.js'

const known = new Set([
  'asm',
  'attachments',
  'batch_id',
  'categories',
  'content',
  'custom_args',
  'from',
  'headers',
  'ip_pool_name',
  'mail_settings',
  'personalizations',
  'reply_to',
  'reply_to_list',
  'sections',
  'send_at',
  'subject',
  'template_id',
  'tracking_settings',
])

/** What is wrong with the parameters that say how a message is sent, rather than what is. */
export function parametersFault(mail: Fields, now: Date): Fault | undefined {
  if (Object.keys(mail).some((name) => !known.has(name))) return badRequest
  return (
    templateFault(mail['template_id']) ??
    timeFault(mail['send_at'], now) ??
    groupsFault(mail['asm']) ??
    namesFault(mail) ??
    settingsFault(mail['tracking_settings']) ??
    settingsFault(mail['mail_settings']) ??
    bypassFault(fields(mail['mail_settings']))
  )
}

const legacyId = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i
const dynamicId = /^d-[\da-f]{32}$/i

function templateFault(templateId: unknown): Fault | undefined {
  if (templateId === undefined) return undefined
  if (typeof templateId !== 'string') return badRequest
  return legacyId.test(templateId) || dynamicId.test(templateId)
    ? undefined
    : {
        message: `The template_id must be a valid GUID, you provided '${templateId}'.`,
        field: 'template_id',
        help: `${errorsPage}#message.template_id`,
      }
}

const mostAhead = 72 * 60 * 60

export function timeFault(sendAt: unknown, now: Date): Fault | undefined {
  if (sendAt === undefined) return undefined
  if (typeof sendAt !== 'number' || !Number.isInteger(sendAt)) return badRequest
  return sendAt - now.getTime() / 1000 > mostAhead
    ? { message: 'The send_at is more than 72 hours in the future.', field: 'send_at' }
    : undefined
}

function groupsFault(asm: unknown): Fault | undefined {
  if (asm === undefined) return undefined
  const { group_id: group, groups_to_display: shown = [] } = fields(asm)
  if (!Number.isInteger(group) || !Array.isArray(shown) || !shown.every(Number.isInteger)) {
    return badRequest
  }
  return shown.length > 25
    ? { message: 'There is a limit of 25 groups to display.', field: 'asm.groups_to_display' }
    : undefined
}

function namesFault({ ip_pool_name: pool, batch_id: batch, sections }: Fields): Fault | undefined {
  if (sections !== undefined && !isTexts(sections)) return badRequest
  if (pool !== undefined && !(typeof pool === 'string' && pool.length >= 2 && pool.length <= 64)) {
    return { message: 'The ip_pool_name must have 2 to 64 characters.', field: 'ip_pool_name' }
  }
  return batch === undefined || isText(batch)
    ? undefined
    : { message: 'The batch_id is not valid.', field: 'batch_id' }
}

function settingsFault(settings: unknown): Fault | undefined {
  if (settings === undefined) return undefined
  if (!isFields(settings)) return badRequest
  const flags = Object.values(settings).flatMap((setting) => {
    const { enable, enable_text: enableText = false } = fields(setting)
    return [enable, enableText]
  })
  return flags.every((flag) => typeof flag === 'boolean') ? undefined : badRequest
}

function bypassFault({ bypass_list_management: all, ...settings }: Fields): Fault | undefined {
  const others = Object.keys(settings).some((name) => name.startsWith('bypass_'))
  return all !== undefined && others
    ? {
        message: 'bypass_list_management cannot be combined with the other bypass settings.',
        field: 'mail_settings.bypass_list_management',
      }
    : undefined
}
