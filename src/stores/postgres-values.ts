import { digest, fromBytes } from '../ids.js'

/** Comes before every id there is. */
export const firstId = '00000000-0000-0000-0000-000000000000'

/** Whether the text is an id as `uuid` takes it. */
export function isId(text: string): boolean {
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)
}

/** A digest as a `uuid`: both are 16 bytes. */
export function digestId(text: string): string {
  return fromBytes(digest(text))
}

/**
 * Names are given by programs, and PostgreSQL takes no NUL. Addresses are canonical, which have
 * none, and JSON writes it otherwise.
 */
export function storable(name: string): string {
  return name.replaceAll('\0', '\uFFFD')
}

/** Lists go to PostgreSQL by column; what is absent becomes null there. */
export function columnsOf<Row>(rows: readonly Row[], ...names: (keyof Row)[]): Row[keyof Row][][] {
  return names.map((name) => rows.map((row) => row[name]))
}

/** A bound of what begins at whole milliseconds, as `bigint` takes it. */
export function whole(milliseconds: number): number {
  const { MIN_SAFE_INTEGER, MAX_SAFE_INTEGER } = Number
  return Math.min(Math.max(Math.ceil(milliseconds), MIN_SAFE_INTEGER), MAX_SAFE_INTEGER)
}
