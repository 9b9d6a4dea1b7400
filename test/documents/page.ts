import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export const root = dirname(dirname(__dirname))

/** The text of a page below docs/. */
export const readPage = (name: string): string => readFileSync(join(root, 'docs', name), 'utf8')

/** What stands below a heading, up to the next one of its rank or above. */
export function section(page: string, heading: string): string {
  const [, rank = '', rest] =
    new RegExp(`^(#+) ${escaped(heading)}\\n([\\s\\S]*)`, 'm').exec(page) ?? []
  if (rest === undefined) throw new Error(`the page has no heading "${heading}"`)
  return rest.split(new RegExp(`^#{1,${rank.length}} `, 'm'))[0] ?? ''
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** The rows of the table with this first heading, each with its cells. */
export function table(text: string, firstHeading: string): string[][] {
  const lines = text.split('\n')
  const start = lines.findIndex((line) => cells(line)[0] === firstHeading)
  if (start < 0) throw new Error(`there is no table that begins with "${firstHeading}"`)
  const rows = lines.slice(start + 2)
  const end = rows.findIndex((line) => !line.startsWith('|'))
  return rows.slice(0, end < 0 ? rows.length : end).map(cells)
}

const cells = (line: string): string[] =>
  line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim())

/** What stands between backticks. */
export const spans = (text: string): string[] =>
  [...text.matchAll(/`([^`]+)`/g)].map(([, span = '']) => span)

/** The code of the blocks in a language. */
export const blocks = (text: string, language: string): string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(
    ([, code = '']) => code,
  )
