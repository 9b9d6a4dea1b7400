import { filesVersion } from './browser-files.js'
import { html, type Html, type Shown } from './html.js'
import { linkTo, type Place } from './links.js'
import { digestOf } from './live.js'
import type { Table } from './table.js'

/** What is shown at a place, before it is laid out. */
export interface Page {
  title: string
  body: Html
  /** Those that can be asked for as CSV and JSON. */
  tables: readonly Table[]
}

/** An entry of the navigation. */
export interface NavigationEntry {
  path: string
  title: string
}

/** The whole document. It holds no script and no style: those are files, as its policy wants. */
export function document(
  { title, body }: Page,
  place: Place,
  navigation: readonly NavigationEntry[],
  notice: Shown,
): Html {
  const file = (name: string): string => linkTo(place, `files/${name}`, { v: filesVersion })
  const live = linkTo(place, 'live', {
    view: `${place.path}?${place.parameters.toString()}`,
    seen: digestOf(body.text),
  })
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <title>${title} · mailtrail</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="${file('style.css')}" />
        <script src="${file('theme.js')}"></script>
        <script src="${file('page.js')}" type="module"></script>
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        <header>
          <p class="brand">mailtrail</p>
          <nav aria-label="Views">
            <ul>
              ${navigation.map((entry) => drawEntry(entry, place))}
            </ul>
          </nav>
          <p class="state">
            <span id="live" role="status"></span>
            <button type="button" id="theme" hidden>Dark</button>
          </p>
        </header>
        <main id="main" tabindex="-1" data-live="${live}" data-charts-by="${file('uplot.js')}">
          <h1>${title}</h1>
          ${notice !== undefined && notice !== '' && html`<p class="notice" role="status">${notice}</p>`}
          ${body}
        </main>
        <footer><p>All times are UTC.</p></footer>
      </body>
    </html>`
}

function drawEntry({ path, title }: NavigationEntry, place: Place): Html {
  const [first] = place.path.split('/', 1)
  const current = first === path && html`aria-current="${place.path === path ? 'page' : 'true'}"`
  return html`<li><a href="${linkTo(place, path)}" ${current}>${title}</a></li>`
}
