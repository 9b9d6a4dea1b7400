// npm run test:tarball [-- --all]
//
// Packs the package and tries it as a stranger would, in empty projects outside of this one: what is in the
// tarball, what an install weighs and runs, whether every entry compiles, and whether the README's first
// example compiles and runs with every supported Nodemailer, Node, TypeScript and module system. Only what
// the example cannot know is put into it: a key, a port, and where the provider is. The older compilers take
// ten seconds each time, and without --all see the newest Nodemailer alone.
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { availableParallelism, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { sendgridSimulator } from 'mailtrail/sendgrid'
import { startProvider } from 'mailtrail/testing'
import { binaryOf, supportedNodes } from './node-binaries.mjs'
import { example, exampleInFunction, programs } from './readme-example.mjs'
import { checkFiles, checkInstall } from './tarball-contents.mjs'

const root = dirname(import.meta.dirname)
const workplace = mkdtempSync(join(tmpdir(), 'mailtrail tarball '))
const all = process.argv.includes('--all')

const compilers = {
  'TypeScript 5.9': 'npm:typescript@5.9',
  'TypeScript 6': 'npm:typescript@6',
  'TypeScript 7': 'npm:typescript@7',
}
/** @typedef {keyof typeof compilers} Compiler */
const everyCompiler = /** @type {Compiler[]} */ (Object.keys(compilers))
/** @type {Compiler[]} */
const ofEachNodemailer = all ? everyCompiler : ['TypeScript 7']

/** Each with the types of those that have none of their own. */
const nodemailers = [
  ['nodemailer@6', '@types/nodemailer@6'],
  ['nodemailer@7', '@types/nodemailer@7'],
  ['nodemailer@8', '@types/nodemailer@8'],
  ['nodemailer@9', '@types/nodemailer@8'],
  ['nodemailer@10'],
]

const resolutions = /** @type {const} */ ([
  { name: 'nodenext', module: 'nodenext', extensions: ['mts', 'cts'] },
  { name: 'bundler', module: 'esnext', extensions: ['ts'] },
])

/** @type {string[]} */
const failures = []
let passed = 0

/**
 * @param {string} name
 * @param {() => unknown} work
 */
async function check(name, work) {
  try {
    await work()
    passed += 1
    console.log(name)
  } catch (error) {
    failures.push(`${name}: ${error instanceof Error ? error.message : error}`)
  }
}

/**
 * @param {string} file
 * @param {string[]} options
 * @param {string} cwd
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<string>}
 */
function run(file, options, cwd, env = process.env) {
  return new Promise((resolve, reject) => {
    execFile(file, options, { cwd, env, timeout: 300_000 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${error.message}\n${stdout}\n${stderr}`))
      else resolve(stdout)
    })
  })
}

/**
 * @param {string[]} options
 * @returns {Promise<(import('./tarball-contents.mjs').Packed & { filename: string })[]>}
 */
async function pack(options) {
  const json = await run('npm', ['pack', '--ignore-scripts', '--json', ...options], root)
  return Object.values(JSON.parse(json))
}

/**
 * A project that has these packages, as npm puts them.
 *
 * @param {string} name
 * @param {string[]} packages
 * @param {string[]} [options]
 */
async function install(name, packages, options = []) {
  const folder = join(workplace, name)
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'stranger', private: true }))
  const quiet = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error']
  await run('npm', ['install', ...quiet, ...options, ...packages], folder)
  return folder
}

/**
 * @param {string} folder
 * @param {readonly string[]} names Of files without their extension.
 * @param {readonly Compiler[]} seenBy
 */
async function compile(folder, names, seenBy) {
  for (const { name, module, extensions } of resolutions) {
    const compilerOptions = {
      module,
      moduleResolution: name,
      target: 'es2022',
      types: ['node'],
      strict: true,
      skipLibCheck: false,
      noEmit: true,
    }
    const files = names.flatMap((file) => extensions.map((extension) => `${file}.${extension}`))
    const config = join(folder, `tsconfig.${name}.json`)
    writeFileSync(config, JSON.stringify({ compilerOptions, files }))
    for (const compiler of seenBy) {
      const tsc = join(workplace, 'compilers/node_modules', folderOf(compiler), 'bin/tsc')
      await check(
        `${names.join(' and ')} compile with ${compiler}, ${name}, ${packagesOf(folder)}`,
        () => run(process.execPath, [tsc, '--project', config], folder),
      )
    }
  }
}

/** @param {Compiler} compiler Under which alias it is installed. */
function folderOf(compiler) {
  return compiler.toLowerCase().replaceAll(' ', '-')
}

/** @param {string} folder */
function packagesOf(folder) {
  const manifest = join(folder, 'node_modules/nodemailer/package.json')
  return `Nodemailer ${JSON.parse(readFileSync(manifest, 'utf8')).version}`
}

/** @param {string} folder */
function writeExample(folder) {
  writeFileSync(join(folder, 'readme.mts'), example)
  writeFileSync(join(folder, 'readme.ts'), example)
  writeFileSync(join(folder, 'readme.cts'), exampleInFunction)
}

/** A port that is free for now. */
async function freePort() {
  const server = createServer()
  await new Promise((resolve) => void server.listen(0, () => resolve(undefined)))
  const address = server.address()
  await new Promise((resolve) => void server.close(resolve))
  return typeof address === 'object' && address ? address.port : 0
}

/**
 * Sends through the SDK to a simulated provider, until the webhook says that it was delivered.
 *
 * @param {string} folder
 * @param {string} binary
 * @param {keyof typeof programs} file
 */
async function runExample(folder, binary, file) {
  const port = await freePort()
  const simulator = sendgridSimulator({ apiKey: 'SG.key' })
  const webhookUrl = `http://127.0.0.1:${port}/webhooks/sendgrid`
  const provider = await startProvider(simulator, { webhookUrl })
  const place = mkdtempSync(join(folder, 'run '))
  writeFileSync(join(place, file), programs[file])
  const env = { PUBLIC_KEY: simulator.publicKey, PROVIDER_URL: provider.url, PORT: String(port) }
  try {
    const output = await run(binary, [file], place, env)
    if (!output.endsWith('it is delivered after accepted, delivered\n')) throw new Error(output)
  } finally {
    await provider.close()
  }
}

/**
 * @param {string} tarball
 * @param {string[]} nodemailer
 * @param {[string, string][]} binaries
 */
async function tryExample(tarball, nodemailer, binaries) {
  const others = ['@sendgrid/mail@8', '@types/node@20']
  const name = nodemailer.join(' ').replaceAll('/', '-')
  const folder = await install(name, [tarball, ...nodemailer, ...others])
  writeExample(folder)
  await compile(folder, ['readme'], ofEachNodemailer)
  for (const [line, binary] of binaries) {
    for (const file of /** @type {const} */ (['readme.mjs', 'readme.cjs'])) {
      await check(`${file} runs with Node ${line}, ${packagesOf(folder)}`, () =>
        runExample(folder, binary, file),
      )
    }
  }
}

/**
 * Every entry, in a project that has all that any of them takes.
 *
 * @param {string} tarball
 */
async function compileEntries(tarball) {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const peers = Object.entries(manifest.peerDependencies).map(([name, range]) => `${name}@${range}`)
  const others = ['@types/node@24', 'vitest@4', '@jest/globals@30']
  const folder = await install('every entry', [tarball, ...peers, ...others])
  const lines = Object.keys(manifest.exports)
    .filter((entry) => entry !== './package.json')
    .map((entry, index) => `export * as entry${index} from '${join('mailtrail', entry)}'\n`)
  for (const extension of ['ts', 'mts', 'cts']) {
    writeFileSync(join(folder, `entries.${extension}`), lines.join(''))
  }
  writeExample(folder)
  await compile(folder, ['entries', 'readme'], everyCompiler)
}

/** @param {(() => Promise<unknown>)[]} jobs As many at once as there are processors. */
async function atOnce(jobs) {
  const waiting = [...jobs]
  const work = async () => {
    for (let job = waiting.shift(); job; job = waiting.shift()) await job()
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work))
}

try {
  const [packed] = await pack(['--pack-destination', workplace])
  if (!packed) throw new Error('npm packed nothing')
  const tarball = join(workplace, packed.filename)
  const binaries = /** @type {[string, string][]} */ (
    supportedNodes.map((line) => [line, binaryOf(line)])
  )
  await check('the tarball has what it should, and nothing else', () => checkFiles(packed))
  const aliases = everyCompiler.map((name) => `${folderOf(name)}@${compilers[name]}`)
  await install('compilers', aliases)
  await atOnce([
    () => check('every entry is tried', () => compileEntries(tarball)),
    ...nodemailers.map(
      (nodemailer) => () =>
        check(`${nodemailer.join(' and ')} is tried`, () =>
          tryExample(tarball, nodemailer, binaries),
        ),
    ),
    () =>
      check('an install is small and runs nothing', async () => {
        const folder = await install('alone', [tarball], ['--omit=optional', '--omit=peer'])
        console.log(await checkInstall(folder, packed, (names) => pack(['--dry-run', ...names])))
      }),
  ])
} finally {
  rmSync(workplace, { recursive: true, force: true })
}

for (const failure of failures) console.error(`\nFAILED ${failure}`)
console.log(`${passed} passed, ${failures.length} failed`)
process.exitCode = failures.length === 0 ? 0 : 1
