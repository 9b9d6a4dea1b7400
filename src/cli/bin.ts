#!/usr/bin/env node
import { run } from './program.js'

const end = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // The first ends what is running in order, a second one at once.
  process.once(signal, () => end.abort())
}
// Whoever reads the output may have gone, as `head` does.
process.stdout.on('error', () => process.exit(0))

// That Node 22 calls its SQLite experimental is nothing to whoever runs a command.
process.removeAllListeners('warning')
process.on('warning', ({ name, message }) => {
  if (name !== 'ExperimentalWarning') process.stderr.write(`${name}: ${message}\n`)
})

run(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  now: () => new Date(),
  signal: end.signal,
}).then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    throw error
  },
)
