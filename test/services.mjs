// npm run test:services [-- <arguments of jest>]
// node test/services.mjs --keep
//
// Starts a PostgreSQL, a MariaDB and a Redis of its own, runs test/**/*.services.ts against them and
// leaves nothing behind. With --keep it prints the environment of those tests instead, and waits. Without arguments
// the tests of the stores run beside the others, with servers of their own: the others restart theirs.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { constants, tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/**
 * @typedef {object} Server
 * @property {string} name
 * @property {string} folder
 * @property {string} log
 * @property {string[]} as What stands before its commands, so that they do not run as root.
 */

/** @typedef {{ kill: () => void, ended: Promise<number | string> }} Running */

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const isRoot = process.getuid?.() === 0
const options = process.argv.slice(2)
const keep = options.includes('--keep')
const secondsToStart = 30
const resultsOfSome = '--outputFile=.ci/services-results.json'

/** A package of Debian, and a program in it. */
const packages = {
  postgresql: 'initdb',
  'mariadb-server': 'mariadbd',
  'redis-server': 'redis-server',
}

function missingPackages() {
  return Object.entries(packages).flatMap(([name, program]) => (find(program) ? [] : [name]))
}

/** @param {string} program */
function find(program) {
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian) : []
  const folders = [
    ...(process.env['PATH'] ?? '').split(delimiter),
    ...versions.toSorted((a, b) => Number(b) - Number(a)).map((line) => join(debian, line, 'bin')),
    '/usr/sbin', // is not on the path of everyone
  ]
  return folders.map((folder) => join(folder, program)).find((file) => existsSync(file))
}

/** @param {string} program */
function path(program) {
  const found = find(program)
  if (!found) throw new Error(`there is no ${program}`)
  return found
}

function install() {
  const names = missingPackages()
  if (names.length === 0) return
  const commands = [
    ['apt-get', 'update'],
    ['apt-get', 'install', '-y', '--no-install-recommends', ...names],
  ]
  if (isRoot && find('apt-get')) {
    // Another copy of this may be installing too.
    const wait = ['-o', 'DPkg::Lock::Timeout=300']
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    for (const [file = '', ...args] of commands) {
      // Not on stdout, which belongs to what --keep prints.
      spawnSync(file, [...wait, ...args], { env, stdio: ['ignore', 2, 2] })
    }
    if (missingPackages().length === 0) return
  }
  const sudo = isRoot ? '' : 'sudo '
  const toRun = commands.map((command) => sudo + command.join(' ')).join(' && ')
  throw new Error(`${names.join(', ')} missing; run: ${toRun}`)
}

/** @param {string} text */
const quote = (text) => (/^[\w./:=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`)

/** @type {(reason: Error) => void} */
let giveUp = () => {}
/** @type {Promise<never>} */
const givenUp = new Promise((_, reject) => {
  giveUp = reject
})

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(signal, () => {
    process.exitCode = 128 + constants.signals[signal]
    giveUp(new Error(`stopped by ${signal}`))
  })
}

let directory = ''
let stopping = false
/** @type {Set<Running>} */
const running = new Set()

/**
 * Runs a command in a process group of its own, so that Ctrl-C reaches only this process, and so
 * that the command ends with all that it has started.
 *
 * @param {string[]} command
 * @param {import('node:child_process').SpawnOptions} how
 * @returns {Running}
 */
function run([file = '', ...args], how) {
  const child = spawn(file, args, { ...how, detached: true })
  const kill = () => {
    try {
      if (child.pid) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // Nobody is left in it.
    }
  }
  /** @type {Running['ended']} */
  const ended = new Promise((resolve) => {
    child.once('error', ({ message }) => resolve(message))
    child.once('exit', (code, signal) => resolve(code ?? signal ?? ''))
  })
  const entry = { kill, ended }
  running.add(entry)
  void ended.then(() => {
    kill()
    running.delete(entry)
  })
  return entry
}

/**
 * @param {string} name
 * @param {string} [user] Who runs it where root may not.
 * @returns {Server}
 */
function prepare(name, user) {
  const folder = join(directory, name)
  const log = join(folder, 'log')
  mkdirSync(folder)
  writeFileSync(log, '')
  if (!isRoot || !user) return { name, folder, log, as: [] }
  execFileSync('chown', ['-R', `${user}:`, folder])
  // Unlike su it stays in the process group, and needs no shell.
  const as = ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--']
  return { name, folder, log, as }
}

/**
 * @param {Server} server
 * @param {string[]} command
 */
function runFor({ folder, log, as }, command) {
  if (stopping) throw new Error('nothing starts any more')
  const file = openSync(log, 'a')
  // Nothing of PGOPTIONS and the like; two MariaDB with one TMPDIR take each other's tables.
  const env = { PATH: process.env['PATH'], LC_ALL: 'C', TMPDIR: folder }
  const started = run([...as, ...command], { cwd: folder, env, stdio: ['ignore', file, file] })
  closeSync(file)
  return started
}

/**
 * @param {Server} server
 * @param {string} what
 */
function failure({ name, log }, what) {
  const tail = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-60).join('\n')
  return new Error(`${name}: ${what}; its log ends with\n${tail}`)
}

/**
 * @param {Server} server
 * @param {string[]} command
 */
async function step(server, command) {
  const late = setTimeout(secondsToStart * 1000, `nothing in ${secondsToStart} s`, { ref: false })
  const result = await Promise.race([runFor(server, command).ended, late])
  if (result !== 0) throw failure(server, `${command[0]} ended with ${result}`)
}

/**
 * @param {Server} server
 * @param {string[]} command
 * @param {string} ready What its log says when it accepts connections.
 */
async function serve(server, command, ready) {
  const { ended } = runFor(server, command)
  let over = false
  void ended.then((result) => {
    over = true
    if (!stopping) giveUp(failure(server, `ended with ${result}`))
  })
  const end = Date.now() + secondsToStart * 1000
  while (!readFileSync(server.log, 'utf8').includes(ready)) {
    if (over) return
    if (Date.now() > end) throw failure(server, `not ready after ${secondsToStart} s`)
    await setTimeout(20)
  }
}

/** @type {() => Promise<void>} */
let stopPostgres = async () => {}

/** @param {number} port */
async function startPostgres(port) {
  const server = prepare('PostgreSQL', 'postgres')
  // The real place, for a link to one program does not stand beside links to the others.
  const bin = dirname(realpathSync(path('initdb')))
  const data = join(server.folder, 'data')
  const control = [join(bin, 'pg_ctl'), '--silent', '--wait', `--pgdata=${data}`]
  const login = ['--username=postgres', '--encoding=UTF8']
  const plain = ['--auth=trust', '--no-locale', '--no-sync']
  await step(server, [join(bin, 'initdb'), `--pgdata=${data}`, ...login, ...plain])
  const settings = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    max_connections: 200,
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`)
  appendFileSync(join(data, 'postgresql.conf'), lines.join(''))

  stopPostgres = async () => {
    if (!existsSync(join(data, 'postmaster.pid'))) return
    const command = [...server.as, ...control, '--mode=immediate', 'stop']
    const { ended } = run(command, { cwd: server.folder, stdio: 'ignore' })
    if ((await ended) === 0 || !existsSync(join(data, 'postmaster.pid'))) return
    console.error(failure(server, 'could not be stopped').message)
    process.exitCode ||= 1
  }
  await step(server, [...control, `--log=${server.log}`, 'start'])
  const address = ['--host=127.0.0.1', `--port=${port}`, ...login]
  await step(server, [join(bin, 'createdb'), ...address, 'mailtrail'])

  const restart = [...server.as, ...control, '--mode=immediate', `--log=${server.log}`, 'restart']
  return {
    MAILTRAIL_TEST_POSTGRES_URL: `postgres://postgres@127.0.0.1:${port}/mailtrail`,
    // pg_ctl does nothing in a folder that its user cannot read, as the one of the tests may be.
    MAILTRAIL_TEST_POSTGRES_RESTART: `cd ${quote(server.folder)} && ${restart.map(quote).join(' ')}`,
  }
}

/** @param {number} port */
async function startMariadb(port) {
  const server = prepare('MariaDB', 'mysql')
  // Relative to its folder: mariadb-install-db is a script, and a path may hold a space.
  const common = ['--no-defaults', '--datadir=./data', '--skip-name-resolve']
  const access = ['--auth-root-authentication-method=normal', '--skip-test-db']
  await step(server, [path('mariadb-install-db'), ...common, ...access])
  const first = join(server.folder, 'first.sql')
  writeFileSync(first, 'CREATE DATABASE mailtrail;\n')
  const command = [
    path('mariadbd'),
    ...common,
    '--bind-address=127.0.0.1',
    `--port=${port}`,
    '--socket=socket', // in the data folder; the whole path may be too long for one
    '--pid-file=pid',
    `--init-file=${first}`,
    '--innodb-flush-log-at-trx-commit=1',
    '--innodb-buffer-pool-size=256M',
    '--max-connections=300',
    '--character-set-server=utf8mb4',
  ]
  await serve(server, command, 'ready for connections')
  return { MAILTRAIL_TEST_MYSQL_URL: `mysql://root@127.0.0.1:${port}/mailtrail` }
}

/** @param {number} port */
async function startRedis(port) {
  const server = prepare('Redis')
  const settings = ['--bind', '127.0.0.1', '--port', `${port}`, '--appendonly', 'yes', '--save', '']
  await serve(server, [path('redis-server'), ...settings], 'Ready to accept connections')
  return { MAILTRAIL_TEST_REDIS_URL: `redis://127.0.0.1:${port}` }
}

/**
 * All are held at once, so that none is given twice.
 *
 * @param {number} count
 */
async function freePorts(count) {
  const held = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  return Promise.all(
    held.map(async (server) => {
      await new Promise((resolve) => void server.once('listening', resolve))
      const address = server.address()
      await new Promise((resolve) => void server.close(resolve))
      return typeof address === 'object' ? (address?.port ?? 0) : 0
    }),
  )
}

/** Two processes like this one: most of what either does is to wait. */
async function runSides() {
  const sides = {
    stores: ['test/stores/'],
    others: ['--testPathIgnorePatterns=/node_modules/', '--testPathIgnorePatterns=test/stores/'],
  }
  const ended = Object.entries(sides).map(([name, which]) => {
    const results = `--outputFile=.ci/services-${name}-results.json`
    const command = [fileURLToPath(import.meta.url), results, ...which]
    const child = spawn(process.execPath, command, { cwd: root, stdio: 'inherit' })
    /** @type {Running['ended']} */
    const end = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve(code ?? signal ?? ''))
    })
    // It has servers to stop.
    const entry = { kill: () => void child.kill('SIGTERM'), ended: end }
    running.add(entry)
    void end.then(() => running.delete(entry))
    return end
  })
  return (await Promise.all(ended)).find((code) => code !== 0) ?? 0
}

async function work() {
  install()
  if (options.length === 0) return runSides()
  directory = mkdtempSync(join(realpathSync(tmpdir()), 'mailtrail-services-'))
  chmodSync(directory, 0o755)
  const [postgres = 0, mariadb = 0, redis = 0] = await freePorts(3)
  const started = [startPostgres(postgres), startMariadb(mariadb), startRedis(redis)]
  const environment = Object.assign({}, ...(await Promise.all(started)))
  if (keep) {
    for (const name of Object.keys(environment)) {
      console.log(`export ${name}=${quote(environment[name])}`)
    }
    return givenUp
  }
  const jest = [
    join(root, 'node_modules', 'jest', 'bin', 'jest.js'),
    '--testMatch=**/*.services.ts',
    '--runInBand', // because some restart PostgreSQL, which is there for all
    '--json',
    ...(options.some((option) => option.startsWith('--outputFile')) ? [] : [resultsOfSome]),
    ...options,
  ]
  const env = { ...process.env, ...environment }
  if (stopping) return 1
  return run([process.execPath, ...jest], { cwd: root, env, stdio: 'inherit' }).ended
}

async function stop() {
  stopping = true
  const left = [...running]
  for (const { kill } of left) kill()
  await Promise.all(left.map(({ ended }) => ended))
  await stopPostgres()
  if (directory) rmSync(directory, { recursive: true, force: true, maxRetries: 10 })
}

try {
  const result = await Promise.race([work(), givenUp])
  process.exitCode = typeof result === 'number' ? result : 1
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode ||= 1
} finally {
  await stop()
}
