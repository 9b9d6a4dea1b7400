import { expect, test } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { serversFolder } from './hosts.js'

const document = readFileSync(join(dirname(dirname(__dirname)), 'docs/servers.md'), 'utf8')

/** The lines of a section's examples that a server must have as well: what is ours in them. */
function examples(section: string): string[] {
  const [, text = ''] = document.split(`\n## ${section}\n`)
  const [own = ''] = text.split('\n## ')
  return (
    [...own.matchAll(/^```ts\n([\s\S]*?)^```/gm)]
      .flatMap(([, code = '']) => code.split('\n'))
      .filter((line) => /correlator|rawBody|bodyParser|receive as/.test(line))
      .filter((line) => !/^import |createCorrelator/.test(line))
      .map((line) => line.replace(/^const \w+ = | \/\/.*$/g, '').trim())
      // The servers of the tests are JavaScript.
      .map((line) => line.replace(/\((\w+): Request\)/, '($1)'))
  )
}

test.each([
  ['Node', ['node.mjs']],
  ['Express', ['express.mjs']],
  ['NestJS', ['nest.mjs']],
  ['Fastify', ['fastify.mjs']],
  ['Koa', ['koa.mjs']],
  ['Hono', ['hono.mjs']],
  ['h3', ['h3.mjs']],
  ['Next', ['next/app/webhooks/[...path]/route.js', 'next/pages/api/webhooks/[...path].js']],
  ['AWS Lambda', ['lambda.mjs']],
  ['Raw bytes', ['express.mjs']],
  ['Who asked', ['next/app/proxied/[...path]/route.js']],
])('what the document says on %s is what is tested', (section, programs) => {
  const tested = programs.map((name) => readFileSync(join(serversFolder, name), 'utf8')).join('')
  const lines = examples(section)
  expect(lines.length).toBeGreaterThan(0)
  expect(lines.filter((line) => !tested.includes(line))).toEqual([])
})
