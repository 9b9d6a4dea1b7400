import { mergedDeep } from '../../deep-merge.js'
import { invalid } from '../../mail-options.js'
import type { Fields } from '../../payload.js'
import type { OutgoingMail } from '../../provider-client.js'
import type { SendgridMailOptions } from './mail-options.js'
import { asJson, checkNames, checkValues } from './own-fields.js'

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
