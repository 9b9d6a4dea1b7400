import { tokenField } from './csrf.js'
import { html, type Html } from './html.js'

/** A field of a form, with its label. */
export function textField(
  name: string,
  label: string,
  value: string,
  { type = 'text', hint = '' }: { type?: 'text' | 'search' | 'email' | 'date'; hint?: string } = {},
): Html {
  // A browser's console complains of a day that is none.
  const shown = type === 'date' && !/^\d{4}-\d{2}-\d{2}$/.test(value) ? '' : value
  return html`<label
    ><span>${label}</span
    ><input type="${type}" name="${name}" value="${shown}" placeholder="${hint}"
  /></label>`
}

/** A choice out of a list; the empty value is for none of them. */
export function choice(
  name: string,
  label: string,
  value: string,
  options: readonly (readonly [value: string, title: string])[],
): Html {
  return html`<label
    ><span>${label}</span
    ><select name="${name}">
      ${options.map(
        ([each, title]) =>
          html`<option value="${each}" ${each === value && html`selected`}>${title}</option>`,
      )}
    </select></label
  >`
}

/** What is done with a click: a form of its own, since links may only show. */
export function actionButton(
  token: string,
  fields: Readonly<Record<string, string>>,
  title: string,
  /** What it is done to, for who cannot see the row. */
  of: string,
): Html {
  return html`<form method="post" class="action">
    ${hiddenFields({ ...fields, [tokenField]: token })}
    <button type="submit">${title}<span class="unseen"> ${of}</span></button>
  </form>`
}

export function hiddenFields(fields: Readonly<Record<string, string>>): Html[] {
  return Object.entries(fields).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}" />`,
  )
}
