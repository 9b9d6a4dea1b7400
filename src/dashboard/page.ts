import { filesVersion } from './browser-files.js'
import { html, Html } from './html.js'
import { linkTo, type Place } from './links.js'
import { digestOf } from './live.js'
import { noticeOf } from './notices.js'
import type { Table } from './table.js'

/** What is shown at a place, before it is laid out. */
export interface Page {
  body: Html
  /** Those that can be asked for as CSV and JSON. */
  tables: readonly Table[]
}

/** An entry of the navigation. */
export interface NavigationEntry {
  path: string
  title: string
}

// Its end may be left out, as may both tags of its body.
const beginning = new Html('<!doctype html>\n<html lang="en">')

/**
 * What the document begins with, whatever is read for it. It holds no script and no style: those are files, as
 * its policy wants.
 */
export function opening(title: string, place: Place, navigation: readonly NavigationEntry[]): Html {
  return html`${beginning}
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="robots" content="noindex" />
      <title>${title} · mailtrail</title>
      <link rel="icon" href="data:," />
      <link rel="stylesheet" href="${fileOf(place, 'style.css')}" />
      <script src="${fileOf(place, 'theme.js')}"></script>
      <script src="${fileOf(place, 'page.js')}" type="module"></script>
    </head>
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
    </header>`
}

/** The rest of it, with where the browser is told that it has changed. */
export function content(title: string, body: Html, place: Place): Html {
  const notice = noticeOf(place.parameters)
  const live = linkTo(place, 'live', {
    view: `${place.path}?${place.parameters.toString()}`,
    seen: digestOf(body.text),
  })
  return html` <main
      id="main"
      tabindex="-1"
      data-live="${live}"
      data-charts-by="${fileOf(place, 'uplot.js')}"
    >
      <h1>${title}</h1>
      ${notice !== undefined && html`<p class="notice" role="status">${notice}</p>`} ${body}
    </main>
    <footer><p>All times are UTC.</p></footer>`
}

/** In its place where it cannot be had: nobody is to follow what is not there. */
export function missing(title: string, why: string): Html {
  return html`<main id="main" tabindex="-1">
    <h1>${title}</h1>
    <p class="notice wrong" role="alert">${why}</p>
  </main>`
}

const fileOf = (place: Place, name: string): string =>
  linkTo(place, `files/${name}`, { v: filesVersion })

function drawEntry({ path, title }: NavigationEntry, place: Place): Html {
  const [first] = place.path.split('/', 1)
  const current = first === path && html`aria-current="${place.path === path ? 'page' : 'true'}"`
  return html`<li><a href="${linkTo(place, path)}" ${current}>${title}</a></li>`
}
