import { Readable } from 'node:stream'
import { UnavailableError } from './errors.js'
import { exported, optionalPackage } from './optional-package.js'
import { fields, text } from './payload.js'
import type { Suppression } from './store.js'
import type { SuppressionEntry, SuppressionOptions } from './suppressions.js'

/** What stands at one place of a list: an entry, or why there is none. */
export type ImportedRow = { line: number } & ({ entry: SuppressionEntry } | { flaw: string })

/** The columns of an export; an import finds them by these names in its first row. */
const columns = [
  'address',
  'cause',
  'scope',
  'group',
  'provider',
  'detail',
  'since',
  'expires_at',
] as const

type Column = (typeof columns)[number]

// The names that providers' own exports have for them.
const otherNames = new Map<string, Column>([
  ['email', 'address'],
  ['e-mail', 'address'],
  ['reason', 'detail'],
  ['error', 'detail'],
  ['created', 'since'],
  ['created_at', 'since'],
])

function isColumn(name: string): name is Column {
  return columns.some((column) => column === name)
}

function columnOf(name: string): Column | undefined {
  const lower = name.trim().toLowerCase()
  return isColumn(lower) ? lower : otherNames.get(lower)
}

/** What is used of the packages: both make a stream of what is piped into them. */
type MakeStream = (options: Record<string, unknown>) => NodeJS.ReadWriteStream

const isFunction = (value: unknown): value is MakeStream => typeof value === 'function'

function streamMaker(name: string, load: () => Promise<unknown>, member: string) {
  return optionalPackage(
    name,
    load,
    (module) => {
      const make = exported(module, member)
      return isFunction(make) ? make : undefined
    },
    (message) => new UnavailableError(message),
  )
}

const loadParser = streamMaker('csv-parse', () => import('csv-parse'), 'parse')
const loadWriter = streamMaker('csv-stringify', () => import('csv-stringify'), 'stringify')

/** The lines of a CSV, the names of its columns first. */
export async function* toCsv(suppressions: AsyncIterable<Suppression>): AsyncGenerator<string> {
  const makeWriter = await loadWriter()
  const writer = makeWriter({
    header: true,
    columns: [...columns],
    // A server's words may begin with what a spreadsheet would carry out.
    escape_formulas: true,
  })
  const rows = Readable.from(rowsOf(suppressions))
  rows.once('error', (error) => writer.emit('error', error))
  for await (const piece of rows.pipe(writer)) yield String(piece)
}

async function* rowsOf(
  suppressions: AsyncIterable<Suppression>,
): AsyncGenerator<Record<Column, string>> {
  for await (const { address, cause, scope, provider, detail, since, expiresAt } of suppressions) {
    yield {
      address,
      cause,
      scope: scope.kind,
      group: scope.id ?? '',
      provider: provider ?? '',
      detail: detail ?? '',
      since: since.toISOString(),
      expires_at: expiresAt?.toISOString() ?? '',
    }
  }
}

/** What stands in a CSV, row by row. */
export async function* fromCsv(
  source: string | AsyncIterable<string | Uint8Array>,
  defaults: SuppressionOptions,
): AsyncGenerator<ImportedRow> {
  const makeParser = await loadParser()
  const parser = makeParser({
    bom: true,
    columns: (names: string[]) => names.map((name) => columnOf(name) ?? false),
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    trim: true,
    // Longer is no address, and would only take memory.
    max_record_size: 100_000,
  })
  const input = Readable.from(typeof source === 'string' ? [source] : source)
  input.once('error', (error) => parser.emit('error', error))
  for await (const parsed of input.pipe(parser)) {
    const { record, info } = fields(parsed)
    const line = Number(fields(info)['lines'])
    yield { line, ...readRow(fields(record), defaults) }
  }
}

function readRow(
  row: Record<string, unknown>,
  defaults: SuppressionOptions,
): { entry: SuppressionEntry } | { flaw: string } {
  const { address, provider, detail, group } = row
  const email = text(address)
  if (email === undefined) return { flaw: 'it has no address' }
  const since = timeOf(row['since'])
  const expiresAt = timeOf(row['expires_at'])
  if (since === 'wrong' || expiresAt === 'wrong') return { flaw: 'a time in it cannot be read' }
  const kind = text(row['scope'])
  const id = text(group)
  const source = text(provider)
  const words = text(detail)
  const cause = text(row['cause'])
  const entry = {
    ...defaults,
    address: email,
    ...(cause !== undefined && { cause }),
    ...(kind !== undefined && { scope: { kind, ...(id !== undefined && { id }) } }),
    ...(source !== undefined && { provider: source }),
    ...(words !== undefined && { detail: words }),
    ...(since && { since }),
    ...(expiresAt && { expiresAt }),
  }
  // What is none of the causes and scopes is refused where it is added.
  return { entry: entry as SuppressionEntry }
}

/** A time as ISO 8601 or as some other text that JavaScript reads, or as Unix seconds. */
function timeOf(value: unknown): Date | 'wrong' | undefined {
  const written = text(value)
  if (written === undefined) return undefined
  const time = /^\d{9,11}$/.test(written) ? new Date(Number(written) * 1000) : new Date(written)
  return Number.isNaN(time.getTime()) ? 'wrong' : time
}
