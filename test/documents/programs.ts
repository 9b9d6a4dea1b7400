import { spawn } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { root } from './page.js'

/** Puts packages into a folder, as `npm install` would; ours is as built. */
export function install(folder: string, packages: readonly string[]): void {
  for (const name of packages) {
    const place = join(folder, 'node_modules', name)
    mkdirSync(dirname(place), { recursive: true })
    symlinkSync(name === 'mailtrail' ? root : join(root, 'node_modules', name), place)
  }
}

export interface RunningProgram {
  /** What it has written so far, in lines. */
  lines(): string[]
  stderr(): string
  /** Resolves once it has written this many lines, or has ended. */
  wrote(count: number): Promise<string[]>
  /** Resolves with its exit code. */
  ended: Promise<number | null>
  stop(): Promise<void>
}

/** How long a program may take while other tests run, in ms. */
const patience = 30_000

/** Runs a module in a folder where its packages are, with nothing of this process's environment but the path. */
export function runProgram(
  folder: string,
  code: string,
  env: Readonly<Record<string, string>>,
): RunningProgram {
  const file = join(folder, 'app.mjs')
  writeFileSync(file, code)
  const child = spawn(process.execPath, [file], {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  let over = false
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code_) => {
      over = true
      resolve(code_)
    })
  })
  const lines = (): string[] => stdout.split('\n').slice(0, -1)
  return {
    lines,
    stderr: () => stderr,
    async wrote(count) {
      for (const end = Date.now() + patience; Date.now() < end && !over; await delay(10)) {
        if (lines().length >= count) return lines()
      }
      if (lines().length >= count) return lines()
      throw new Error(`it wrote ${lines().length} lines of ${count}:\n${stdout}\n${stderr}`)
    },
    ended,
    async stop() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
