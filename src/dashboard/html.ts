/** Text that is HTML already: made by the tag `html` alone, so that nothing else can pass for it. */
export class Html {
  constructor(readonly text: string) {}
}

/** What may stand in a template: texts and numbers are escaped, `false` and `undefined` show nothing. */
export type Shown = Html | string | number | false | undefined | readonly Shown[]

const escapes: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

// Control characters and those that turn the direction of what follows show as what they are.
const invisible = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/**
 * HTML of a template. Whatever is put into it is escaped, for text and for attributes in quotes:
 *
 * ```ts
 * html`<a title="${subject}">${subject}</a>`
 * ```
 */
export function html(parts: TemplateStringsArray, ...values: Shown[]): Html {
  const [first = '', ...rest] = withoutIndentation(parts)
  let text = first
  values.forEach((value, index) => {
    text += written(value) + (rest[index] ?? '')
  })
  return new Html(text)
}

const known = new WeakMap<TemplateStringsArray, string[]>()

/** What is there for who reads the source would be a third of a page. */
function withoutIndentation(parts: TemplateStringsArray): string[] {
  const found = known.get(parts) ?? parts.map((part) => part.replace(/\n\s+/g, '\n'))
  known.set(parts, found)
  return found
}

function written(value: Shown): string {
  if (value instanceof Html) return value.text
  if (value === undefined || value === false) return ''
  if (typeof value === 'object') return value.map(written).join('')
  return escaped(String(value))
}

function escaped(text: string): string {
  return text
    .toWellFormed()
    .replace(/[&<>"']/g, (character) => escapes[character] ?? '')
    .replace(invisible, (character) => (/[\n\r\t]/.test(character) ? character : '\u{fffd}'))
}
