import { html, type Html, type Shown } from './html.js'
import { linkWith, type Place } from './links.js'

/** What stands in a cell, for machines: times as ISO 8601, nothing where there is nothing. */
export type Cell = string | number | boolean | undefined

export interface Column<Row> {
  /** Its name in CSV and JSON. */
  key: string
  title: string
  value(row: Row): Cell
  /** What is shown in its place; the value itself otherwise. */
  show?(row: Row): Shown
  numeric?: true
  /** It stands in CSV and JSON alone. */
  unseen?: true
}

export interface TableParts<Row> {
  /** By which it is asked for as CSV or JSON. */
  name: string
  caption: string
  columns: readonly Column<Row>[]
  rows: readonly Row[]
  /** What can be done with a row; it stands in a last column, and in no export. */
  action?(row: Row): Html
  /** Said in place of rows where there are none. */
  empty: string
  /** Where the next page begins. */
  cursor?: string | undefined
}

/** A table that is shown to people, and handed to machines as CSV and JSON. */
export interface Table extends Pick<TableParts<never>, 'name' | 'caption' | 'cursor'> {
  keys: readonly string[]
  records(): Record<string, Cell>[]
  draw(place: Place): Html
}

export function table<Row>(parts: TableParts<Row>): Table {
  const { name, caption, columns, rows, cursor } = parts
  return {
    name,
    caption,
    cursor,
    keys: columns.map(({ key }) => key),
    records: () =>
      rows.map((row) => Object.fromEntries(columns.map(({ key, value }) => [key, value(row)]))),
    draw: (place) => drawTable(parts, place),
  }
}

function drawTable<Row>(parts: TableParts<Row>, place: Place): Html {
  const { name, caption, rows, empty, action } = parts
  const columns = parts.columns.filter(({ unseen }) => !unseen)
  const title = html`<h2 id="${name}-title">${caption}</h2>`
  if (rows.length === 0) {
    return html`<section class="table" id="${name}">
      ${title}
      <p class="empty">${empty}</p>
    </section>`
  }
  return html`<section class="table" id="${name}">
    <div class="table-head">
      ${title}
      <p class="exports">
        <a href="${linkWith(place, { table: name, format: 'csv' })}" download="${name}.csv"
          >CSV<span class="unseen"> of ${caption}</span></a
        >
        <a href="${linkWith(place, { table: name, format: 'json' })}"
          >JSON<span class="unseen"> of ${caption}</span></a
        >
      </p>
    </div>
    <div class="scroll" tabindex="0" role="region" aria-labelledby="${name}-title">
      <table>
        <thead>
          <tr>
            ${columns.map(
              (column) =>
                html`<th scope="col" class="${column.numeric ? 'number' : ''}">
                  ${column.title}
                </th>`,
            )}
            ${action && html`<th scope="col">Action</th>`}
          </tr>
        </thead>
        <tbody>
          ${rows.map((row) => drawRow(columns, row, action?.(row)))}
        </tbody>
      </table>
    </div>
  </section>`
}

function drawRow<Row>(columns: readonly Column<Row>[], row: Row, action?: Html): Html {
  return html`<tr>
    ${columns.map(({ show, value, numeric }) => {
      const shown = show ? show(row) : cellText(value(row))
      return html`<td class="${numeric ? 'number' : ''}">${shown}</td>`
    })}
    ${action && html`<td>${action}</td>`}
  </tr>`
}

function cellText(cell: Cell): string {
  return cell === undefined ? '' : String(cell)
}
