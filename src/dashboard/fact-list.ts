import { html, type Html, type Shown } from './html.js'

/** Names and what is known of each; what is not known is left out. */
export function factList(facts: readonly (readonly [name: string, fact: Shown])[]): Html {
  const known = facts.filter(([, fact]) => fact !== undefined && fact !== false && fact !== '')
  return html`<dl>
    ${known.map(
      ([name, fact]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${fact}</dd>
        </div>`,
    )}
  </dl>`
}
