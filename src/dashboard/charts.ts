import { count } from './formats.js'
import { html, type Html } from './html.js'

/** One line of a chart over time. */
export interface Series {
  title: string
  /** The name of its colour in the style sheet. */
  color: string
  values: readonly number[]
}

/** A chart over time, drawn by uPlot in the browser from what stands in the attribute. The caption says it all. */
export function timeChart(
  id: string,
  title: string,
  times: readonly Date[],
  series: readonly Series[],
): Html {
  const seconds = times.map((time) => time.getTime() / 1000)
  const sums = series.map(
    ({ title: name, values }) => `${name} ${count(values.reduce((sum, value) => sum + value, 0))}`,
  )
  return html`<section class="panel chart-panel" id="${id}">
    <h2>${title}</h2>
    <div
      class="chart"
      role="img"
      aria-label="${title}, in all: ${sums.join(', ')}. The days are in the table below."
      data-chart="${JSON.stringify({ times: seconds, series })}"
    ></div>
  </section>`
}

/** One bar of a list of bars. */
export interface Bar {
  title: string | Html
  value: number
  /** Said beside the number, such as what part it is. */
  note?: string
  color?: string
}

/** Bars from the left, each as long as it is of the most. */
export function bars(list: readonly Bar[]): Html {
  const most = Math.max(1, ...list.map(({ value }) => value))
  return html`<ul class="bars">
    ${list.map(
      ({ title, value, note, color = 'recipients' }) =>
        html`<li>
          <span class="bar-title">${title}</span>
          <span class="bar-value"
            >${count(value)}${note !== undefined && html` <small>${note}</small>`}</span
          >
          ${bar(value / most, color)}
        </li>`,
    )}
  </ul>`
}

/** One bar; it says nothing that does not stand beside it. */
export function bar(part: number, color: string): Html {
  const width = `${(Math.min(Math.max(part, 0), 1) * 100).toFixed(2)}%`
  return html`<svg class="bar" aria-hidden="true" width="100%" height="8">
    <rect class="bar-track" width="100%" height="8" rx="2" />
    <rect class="fill-${color}" width="${width}" height="8" rx="2" />
  </svg>`
}

/** A number to be read at a glance. */
export function tile(title: string, value: string, note: string | Html, color?: string): Html {
  return html`<li class="tile ${color !== undefined && `edge-${color}`}">
    <span class="tile-title">${title}</span> <strong>${value}</strong> <small>${note}</small>
  </li>`
}
