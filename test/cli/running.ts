import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'

export const root = dirname(dirname(__dirname))

/** The command line as it is built: as ESM alone, for it is run and never imported. */
export const program = (): string => join(root, 'dist/esm/cli/bin.js')

/** How long a command may take while other tests run, in ms. */
const patience = 20_000

/** A folder of its own for a command, its settings and its keys. */
export function newFolder(): { folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'mailtrail cli '))
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

export interface RunOptions {
  folder: string
  env?: Record<string, string>
  input?: string
  /** Loaded ahead of it. */
  preload?: string
}

export interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

export interface RunningCommand {
  /** What it has written so far. */
  stdout(): string
  stderr(): string
  /** Resolves with the match once it has written it. */
  wrote(pattern: RegExp): Promise<RegExpExecArray>
  write(line: string): void
  closeInput(): void
  signal(name: NodeJS.Signals): void
  ended: Promise<Ended>
}

/** Starts a command in a process of its own, with nothing of this one's environment but the path. */
export function start(
  words: readonly string[],
  { folder, env = {}, preload }: RunOptions,
): RunningCommand {
  const ahead = preload === undefined ? [] : ['--import', pathToFileURL(preload).href]
  const child = spawn(process.execPath, [...ahead, program(), ...words], {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  // It may have ended before it has read.
  child.stdin.on('error', () => {})
  const timer = setTimeout(() => child.kill('SIGKILL'), 3 * patience)
  let over = false
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      over = true
      clearTimeout(timer)
      resolve({ code, stdout, stderr })
    })
  })
  return {
    stdout: () => stdout,
    stderr: () => stderr,
    async wrote(pattern) {
      for (const end = Date.now() + patience; Date.now() < end; await delay(10)) {
        const found = pattern.exec(stdout)
        if (found) return found
        if (over) break
      }
      throw new Error(`it never wrote ${String(pattern)}:\n${stdout}\n${stderr}`)
    },
    write: (line) => void child.stdin.write(`${line}\n`),
    closeInput: () => void child.stdin.end(),
    signal: (name) => void child.kill(name),
    ended,
  }
}

/** Runs a command to its end. */
export async function run(words: readonly string[], options: RunOptions): Promise<Ended> {
  const running = start(words, options)
  if (options.input !== undefined) running.write(options.input)
  running.closeInput()
  return running.ended
}
