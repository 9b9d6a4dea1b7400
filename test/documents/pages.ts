import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export const root = dirname(dirname(__dirname))

const folders = ['.', 'docs', 'examples', 'bench']

/** The texts of all pages, by their paths from the root. */
export const pages: Record<string, string> = Object.fromEntries(
  folders
    .flatMap((folder) => readdirSync(join(root, folder)).map((name) => join(folder, name)))
    .filter((path) => path.endsWith('.md'))
    .map((path) => [path, readFileSync(join(root, path), 'utf8')]),
)

/** What stands between two fences. */
export interface Block {
  /** As after the fence, such as `ts`. */
  language: string
  code: string
  /** Where its code begins in the page: the first line is 1. */
  line: number
}

const fence = /^( *)```(\w*)\n([\s\S]*?)^\1```$/gm

/** The blocks of a page, also those in lists. */
export function blocksOf(text: string): Block[] {
  return [...text.matchAll(fence)].map(
    ({ 1: indent = '', 2: language = '', 3: code = '', index }) => ({
      language,
      code: code.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
      line: text.slice(0, index).split('\n').length + 1,
    }),
  )
}
