// npm run bench:send [-- --rounds 15] [--messages 800] [--in-flight 64] [--provider sendgrid]
//
// What a message costs on its way to a provider's API that stands on this machine: through our transport,
// with a correlator on a SQLite file that waits for the disk, through the provider's SDK alone, through the
// Nodemailer transport that exists for that provider, and over bare keep-alive HTTP; and what Nodemailer
// does for a message before any transport. Each side has a process of its own, and they take turns, round
// by round, so that each ratio is of neighbours in time.
import { execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    messages: { type: 'string', default: '800' },
    'in-flight': { type: 'string', default: '64' },
    provider: { type: 'string' },
  },
})
const rounds = Number(values.rounds)
const messages = Number(values.messages)
const inFlight = Number(values['in-flight'])

const peersOf = {
  sendgrid: 'nodemailer-sendgrid',
  mailgun: 'nodemailer-mailgun-transport',
  mandrill: 'nodemailer-mandrill-transport',
}

const here = fileURLToPath(new URL('.', import.meta.url))
const peersFolder = join(here, 'peers')
if (!existsSync(join(peersFolder, 'node_modules'))) {
  // Scripts of theirs are not run.
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: peersFolder })
}

const server = fork(join(here, 'send-server.mjs'))
const [port] = await once(server, 'message')
const folder = mkdtempSync(join(tmpdir(), 'mailtrail-bench-'))

async function startSide(provider, name) {
  const url = `http://127.0.0.1:${port}`
  const side = fork(join(here, 'send-side.mjs'), [provider, name, url, folder])
  side.once('exit', (code) => {
    if (code) process.exit(code)
  })
  await once(side, 'message')
  return side
}

async function measure(side) {
  const answer = once(side, 'message')
  side.send({ messages, inFlight })
  const [measured] = await answer
  return measured
}

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)]

async function compare(provider) {
  const names = [
    'mailtrail',
    'mailtrail with SQLite',
    'the SDK alone',
    peersOf[provider],
    'bare HTTP',
    'Nodemailer alone',
  ]
  const sides = new Map()
  for (const name of names) sides.set(name, await startSide(provider, name))
  const results = new Map(names.map((name) => [name, []]))
  // A process is slower until its code is compiled.
  for (const name of names)
    for (let round = 0; round < 4; round += 1) await measure(sides.get(name))
  for (let round = 0; round < rounds; round += 1) {
    const turn = round % names.length
    for (const name of [...names.slice(turn), ...names.slice(0, turn)]) {
      results.get(name).push(await measure(sides.get(name)))
    }
  }
  for (const side of sides.values()) side.disconnect()
  console.log(`\n${provider}, ${inFlight} in flight, ${rounds} rounds of ${messages} messages\n`)
  const alone = results.get('the SDK alone')
  const table = names.map((name) => {
    const measured = results.get(name)
    return {
      side: name,
      'messages/s': Math.round(median(measured.map(({ rate }) => rate))),
      'CPU us/message': Math.round(median(measured.map(({ cpu }) => cpu))),
      'of the SDK alone': Number(
        median(measured.map(({ rate }, round) => rate / alone[round].rate)).toFixed(2),
      ),
    }
  })
  console.table(table)
}

console.log(`Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model.trim()}`)
for (const provider of values.provider ? [values.provider] : Object.keys(peersOf)) {
  await compare(provider)
}
rmSync(folder, { recursive: true, force: true })
server.disconnect()
process.exit()
