// The README's first example, as the compilers and as Node take it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const readme = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8')
const [, code] = /```ts\n([\s\S]*?)```/.exec(readme) ?? []
if (!code) throw new Error('README.md has no ```ts block')

/** As it stands there. */
export const example = code

/** Where `await` stands in modules alone, it stands in a function. */
export const exampleInFunction = inFunction(code)

/** With what it cannot know taken from the environment, and with its end printed. */
const program = `${withKnown(code)}
console.log('it is', status, 'after', events.map(({ type }) => type).join(', '))
process.exit()
`

/** By the names of their files. */
export const programs = {
  'readme.mjs': program,
  'readme.cjs': inFunction(program).replaceAll(
    /^import (.*) from (.*)$/gm,
    'const $1 = require($2)',
  ),
}

/** @param {string} source */
function inFunction(source) {
  const lines = source.split('\n')
  const end = lines.findLastIndex((line) => line.startsWith('import ')) + 1
  return [...lines.slice(0, end), 'void (async () => {', ...lines.slice(end), '})()', ''].join('\n')
}

/** @param {string} source */
function withKnown(source) {
  const known = /** @type {const} */ ([
    [/publicKey: '[^']*'/, 'publicKey: process.env.PUBLIC_KEY'],
    [/apiKey: '[^']*'/, "apiKey: 'SG.key', baseUrl: process.env.PROVIDER_URL"],
    [/\.listen\(\d+\)/, '.listen(process.env.PORT)'],
  ])
  let result = source
  for (const [pattern, value] of known) {
    if (!pattern.test(result)) throw new Error(`the README's first example has no ${pattern}`)
    result = result.replace(pattern, value)
  }
  return result
}
