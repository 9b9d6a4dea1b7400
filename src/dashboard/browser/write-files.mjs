// Part of the build: writes src/dashboard/browser-files.ts, which holds what browsers load as texts, so that
// it comes into both builds and is found from wherever they are put.
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const here = import.meta.dirname
const root = join(here, '../../..')
const uplot = join(createRequire(import.meta.url).resolve('uplot/package.json'), '../dist')

/** @param {string} path */
const read = (path) => readFileSync(path, 'utf8')
/** Its licence goes with it. */
const licence = `/*\n${read(join(uplot, '../LICENSE'))}*/\n`
const script = 'text/javascript; charset=utf-8'
const style = 'text/css; charset=utf-8'

/** @type {Record<string, { type: string, text: string }>} */
const files = {
  'style.css': {
    type: style,
    text: licence + read(join(uplot, 'uPlot.min.css')) + read(join(here, 'style.css')),
  },
  'uplot.js': { type: script, text: licence + read(join(uplot, 'uPlot.iife.min.js')) },
}
for (const name of ['theme', 'page', 'charts', 'following', 'theme-switch']) {
  const text = read(join(root, 'dist/browser', `${name}.js`))
  files[`${name}.js`] = { type: script, text }
}

const hash = createHash('sha256').update(JSON.stringify(files)).digest('hex').slice(0, 12)
const entries = Object.entries(files).map(
  ([name, { type, text }]) =>
    `  ${JSON.stringify(name)}: { type: ${JSON.stringify(type)}, text: ${JSON.stringify(text)} },`,
)
writeFileSync(
  join(here, '../browser-files.ts'),
  `// Written by browser/write-files.mjs out of the files beside it and of uPlot.
/** Changes with what is in the files. */
export const filesVersion = ${JSON.stringify(hash)}

/** What browsers load, by its name. */
export const browserFiles: Readonly<Record<string, { type: string; text: string }>> = {
${entries.join('\n')}
}
`,
)
