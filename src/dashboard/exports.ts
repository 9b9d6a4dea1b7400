import { UnavailableError } from '../errors.js'
import { exported, optionalPackage } from '../optional-package.js'
import type { Table } from './table.js'

type Stringify = (rows: readonly (readonly unknown[])[], options: object) => string

const isStringify = (value: unknown): value is Stringify => typeof value === 'function'

const loadStringify = optionalPackage(
  'csv-stringify',
  () => import('csv-stringify/sync'),
  (module) => {
    const found = exported(module, 'stringify')
    return isStringify(found) ? found : undefined
  },
  (message) => new UnavailableError(message),
)

/**
 * A table as CSV, the names of its columns first.
 *
 * @throws UnavailableError without the package csv-stringify
 */
export async function toCsv({ keys, records }: Table): Promise<string> {
  const stringify = await loadStringify()
  const rows = records().map((record) => keys.map((key) => String(record[key] ?? '')))
  // A mail's words may begin with what a spreadsheet would carry out.
  return stringify([keys, ...rows], {
    escape_formulas: true,
    // Unquoted, a carriage return within a cell would begin a row in some of them.
    quoted: true,
    record_delimiter: 'windows',
  })
}

export function toJson({ name, cursor, records }: Table): string {
  return JSON.stringify({ table: name, rows: records(), ...(cursor !== undefined && { cursor }) })
}
