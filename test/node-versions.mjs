// npm run test:nodes [-- --smoke]
//
// Runs the demo and the tests under every supported line of Node, whose binaries come from the npm
// package `node`. With --smoke it leaves out the tests that speak of one version only slowly.
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const smoke = process.argv.includes('--smoke')
const lines = ['20', '22', '24']

// Where versions can differ: the three SDKs, SQLite, HTTP, the package itself.
const smokeTests = ['transport', 'webhook', 'stores', 'node-handler', 'package', 'demo']

/** @param {string} line */
function binaryOf(line) {
  if (process.versions.node.split('.')[0] === line) return process.execPath
  const npx = ['--yes', '--package', `node@${line}`, 'node', '--print', 'process.execPath']
  const { stdout } = spawnSync('npx', npx, { cwd: root, encoding: 'utf8' })
  return stdout.trim().split('\n').at(-1) ?? ''
}

/**
 * @param {string} binary
 * @param {string[]} options
 */
function run(binary, options) {
  const path = `${dirname(binary)}:${process.env['PATH']}`
  const env = { ...process.env, PATH: path }
  return spawnSync(binary, options, { cwd: root, env, stdio: 'inherit' }).status === 0
}

const results = lines.map((line) => {
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
