// Looks at the links of all pages below a folder: what they lead to must be there, and so must the heading.
//
//   node test/documents/links.mjs [folder]
//   node test/documents/links.mjs --reach   asks for the pages of others, too, over the network
import GithubSlugger from 'github-slugger'
import { marked } from 'marked'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { parseArgs } from 'node:util'

const { values, positionals } = parseArgs({
  options: { reach: { type: 'boolean' } },
  allowPositionals: true,
})
const root = positionals[0] ?? process.cwd()

/** @type {(folder: string) => string[]} */
const pagesBelow = (folder) =>
  readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !['node_modules', 'dist', '.git'].includes(name))
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return pagesBelow(path)
      return entry.name.endsWith('.md') ? [path] : []
    })

/**
 * What is read of it, without marks.
 *
 * @param {import('marked').Token} token
 * @returns {string}
 */
function wordsOf(token) {
  const { tokens = [] } = 'tokens' in token ? token : {}
  /** @type {string} */
  const text = 'text' in token ? token.text : ''
  return tokens.length > 0 ? tokens.map(wordsOf).join('') : text
}

/** @param {string} path */
function readPage(path) {
  const text = readFileSync(path, 'utf8')
  const slugger = new GithubSlugger()
  /** @type {Set<string>} */
  const anchors = new Set()
  /** @type {{ target: string, line: number }[]} */
  const links = []
  /** @type {(target: string, raw: string) => void} */
  const found = (target, raw) => {
    links.push({ target, line: text.slice(0, text.indexOf(raw)).split('\n').length })
  }
  marked.walkTokens(marked.lexer(text), (token) => {
    if (token.type === 'heading') anchors.add(slugger.slug(wordsOf(token)))
    if (token.type === 'link' || token.type === 'image') found(token.href, token.raw)
    if (token.type === 'html') {
      for (const [raw, target = ''] of token.raw.matchAll(/(?:href|src|srcset)="([^"]+)"/g)) {
        found(target, raw)
      }
    }
  })
  return { path, anchors, links }
}

const pages = new Map(pagesBelow(root).map((path) => [path, readPage(path)]))

/**
 * @param {string} from the path of a page
 * @param {string} target
 * @returns {string | undefined} what is wrong with a link, if anything is
 */
function faultOf(from, target) {
  if (/^[a-z]+:/i.test(target)) {
    if (!URL.canParse(target)) return 'it is no URL'
    return new URL(target).protocol === 'https:' ? undefined : 'it is not https'
  }
  const [path = '', anchor] = target.split('#')
  const file = path === '' ? from : join(dirname(from), decodeURIComponent(path))
  if (relative(root, file).startsWith('..')) return 'it leads out of the repository'
  if (!existsSync(file)) return 'there is no such file'
  if (anchor === undefined) return undefined
  return pages.get(file)?.anchors.has(anchor) ? undefined : 'there is no such heading'
}

/**
 * @param {string} url
 * @returns {Promise<string | undefined>}
 */
async function unreachable(url) {
  try {
    const { status } = await fetch(url, { signal: AbortSignal.timeout(20_000) })
    // Some let no program in; what is gone is 404 or 410.
    return status === 404 || status === 410 ? `it is answered ${status}` : undefined
  } catch (error) {
    return `nobody answers: ${String(error)}`
  }
}

const places = [...pages.values()].flatMap(({ path, links }) =>
  links.map(({ target, line }) => ({ path, target, line })),
)
const faults = await Promise.all(
  places.map(async ({ path, target, line }) => {
    const fault =
      faultOf(path, target) ??
      (values.reach && target.startsWith('https:') ? await unreachable(target) : undefined)
    return fault === undefined ? [] : [`${relative(root, path)}:${line}: ${target}: ${fault}`]
  }),
)
for (const fault of faults.flat()) console.log(fault)
console.log(`${places.length} links in ${pages.size} pages, ${faults.flat().length} lead nowhere`)
process.exitCode = faults.flat().length > 0 ? 1 : 0
