// Sides of a bench have a process each, as they would in an application: nobody's code makes another's slower.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))

/**
 * Starts a file of this folder. What it says first is `ready`; `ask` sends it a command and resolves to the
 * answer.
 *
 * @param {string} file
 * @param {string[]} given
 * @param {{ environment?: Record<string, string>, flags?: string[] }} [options] `flags` are Node's own
 */
export async function start(file, given, { environment = {}, flags = [] } = {}) {
  const env = { ...process.env, ...environment }
  const child = fork(join(here, file), given, { env, execArgv: flags })
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`${file} ${given[0]} ended with ${code}`)
  })
  // Whoever asks next hears of it.
  ended.catch(() => {})
  const answers = new Map()
  let asked = 0
  const [ready] = await Promise.race([once(child, 'message'), ended])
  child.on('message', ({ id, ...answer }) => answers.get(id)?.(answer))
  return {
    ready,
    ask(command, more = {}) {
      asked += 1
      const id = asked
      const answer = new Promise((resolve) => answers.set(id, resolve))
      child.send({ id, command, ...more })
      return Promise.race([answer, ended])
    },
    async stop() {
      child.disconnect()
      await once(child, 'exit')
    },
  }
}

/** @param {readonly number[]} list */
export const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1] ?? NaN

/** The value below which so much of them lies. */
export const quantile = (list, share) =>
  list.toSorted((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * share))] ?? NaN
