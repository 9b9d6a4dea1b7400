import { digest, fromBytes } from '../ids.js'

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
