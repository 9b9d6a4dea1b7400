import { invalid } from '../../mail-options.js'
import type { Fields } from '../../payload.js'
import type { MandrillVariable } from './mail-options.js'

/**
 * The data of a template as Mandrill takes it.
 *
 * @param option what it was given as
 */
export function mergeVars(
  option: string,
  data: Fields,
  language: unknown,
): MandrillVariable<unknown>[] {
  const vars = Object.entries(data)
    .filter(([, content]) => content !== undefined)
    .map(([name, content]) => ({
      name,
      content: checkedContent(`${option}.${name}`, content, language),
    }))
  const known = new Map<string, string>()
  for (const { name } of vars) {
    if (name.startsWith('_')) {
      throw invalid(`Mandrill takes no ${option} whose name begins with _: ${name}`)
    }
    const twin = known.get(name.toLowerCase())
    if (twin !== undefined) {
      throw invalid(`Mandrill takes ${option}.${twin} and ${option}.${name} for the same`)
    }
    known.set(name.toLowerCase(), name)
  }
  return vars
}

function checkedContent(path: string, content: unknown, language: unknown): unknown {
  // An empty text, for the tag itself might be shown where there is nothing to put in its place.
  if (content === null) return ''
  if (['string', 'number', 'boolean'].includes(typeof content)) return content
  if (typeof content !== 'object') {
    throw invalid(`${path} cannot be written as JSON`)
  }
  if (language === 'handlebars') return content
  throw invalid(
    `${path} is an object, which Mandrill takes with mandrill.message.merge_language 'handlebars' only`,
  )
}
