import { invalid } from '../../mail-options.js'
import type { Fields } from '../../payload.js'
import { asJson } from './own-fields.js'

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
