// npm run test:nodes [-- --smoke]
//
// Runs the demo and the tests under every supported line of Node. With --smoke it leaves out the tests
// that speak of one version only slowly.
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { binaryOf, supportedNodes } from './node-binaries.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const smoke = process.argv.includes('--smoke')

// Where versions can differ: the three SDKs, SQLite, HTTP, the package itself.
const smokeTests = ['transport', 'webhook', 'stores', 'node-handler', 'package', 'demo']

/**
 * @param {string} binary
 * @param {string[]} options
 */
function run(binary, options) {
  const path = `${dirname(binary)}:${process.env['PATH']}`
  const env = { ...process.env, PATH: path }
  return spawnSync(binary, options, { cwd: root, env, stdio: 'inherit' }).status === 0
}

const results = supportedNodes.map((line) => {
  const binary = binaryOf(line)
  const { stdout: version } = spawnSync(binary, ['--version'], { encoding: 'utf8' })
  console.log(`\nNode ${version}`)
  if (!version?.startsWith(`v${line}.`)) return { line, passed: false }
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js')
  const tests = run(binary, [jest, ...(smoke ? smokeTests : [])])
  const demo = run(binary, [join(root, 'examples', 'demo', 'demo.mjs')])
  return { line, passed: tests && demo }
})

for (const { line, passed } of results) console.log(`Node ${line}: ${passed ? 'passed' : 'FAILED'}`)
process.exitCode = results.every(({ passed }) => passed) ? 0 : 1
