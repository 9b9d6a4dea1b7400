import { html, type Html } from './html.js'

/** Where a view is, and what is asked of it: all of its state, so that every view can be sent to somebody. */
export interface Place {
  /** The relative way from the view to where the dashboard is mounted: empty, or some `../`. */
  root: string
  /** The view's path below there, such as `messages/0190…`; empty for the first. */
  path: string
  parameters: URLSearchParams
}

/** A relative link to a view: it holds below any prefix, also one that only a proxy knows of. */
export function linkTo(
  { root }: Pick<Place, 'root'>,
  path: string,
  parameters: Readonly<Record<string, string>> | URLSearchParams = {},
): string {
  const query = new URLSearchParams(parameters).toString()
  return `${root === '' ? './' : root}${path}${query === '' ? '' : `?${query}`}`
}

/** The same view with some of its parameters changed, or taken away by an empty value. */
export function linkWith(place: Place, changes: Readonly<Record<string, string>>): string {
  const parameters = new URLSearchParams(place.parameters)
  for (const [name, value] of Object.entries(changes)) {
    if (value === '') parameters.delete(name)
    else parameters.set(name, value)
  }
  return linkTo(place, place.path, parameters)
}

/** A URL out of a mail if a click on it can do no more than open a page; undefined otherwise. */
export function webUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined
  const { protocol, href } = new URL(text)
  return protocol === 'http:' || protocol === 'https:' ? href : undefined
}

/** A link out of a mail: one that can do nothing but open a page, or its text alone. */
export function outsideLink(url: string): Html {
  const safe = webUrl(url)
  if (safe === undefined) return html`<span class="long">${url}</span>`
  return html`<a class="long" href="${safe}" rel="noopener noreferrer nofollow" target="_blank"
    >${url}</a
  >`
}
