import type { Readable, Writable } from 'node:stream'

/** How a command ended: `0` fine, `1` it found a fault or something failed, `2` it was used wrongly. */
export type ExitCode = 0 | 1 | 2

/** Everything around a command. */
export interface Io {
  stdin: Readable & { isTTY?: boolean; setRawMode?(on: boolean): unknown }
  stdout: Output
  stderr: Output
  env: Readonly<Record<string, string | undefined>>
  /** The folder that relative paths start from. */
  cwd: string
  now(): Date
  /** Aborted when the command is to end. */
  signal: AbortSignal
}

export type Output = Writable & {
  isTTY?: boolean
  hasColors?(env?: object): boolean
}

/** Writes lines, or with `json` one JSON object a line for programs. */
export interface Printer {
  readonly json: boolean
  line(text?: string): void
  /** Told to programs alone. */
  record(fact: object): void
  red(text: string): string
  green(text: string): string
  yellow(text: string): string
  bold(text: string): string
  dim(text: string): string
}

// Subjects, addresses and servers' words are anybody's: none of them moves the cursor, or makes a line of its own.
const escape = String.fromCharCode(27)
const unsafe = new RegExp(`${escape}\\[(?:[12]|3[123]|22|39)m|\\p{Cc}|\\p{Bidi_Control}`, 'gu')

export function createPrinter(output: Output, env: Io['env'], json = false): Printer {
  // It knows NO_COLOR, FORCE_COLOR and TERM; what is no terminal does not have it.
  const colours = !json && output.isTTY === true && output.hasColors?.({ ...env }) === true
  const styled =
    (start: number, end: number) =>
    (text: string): string =>
      colours ? `${escape}[${start}m${text}${escape}[${end}m` : text
  return {
    json,
    line(text = '') {
      // What is longer than one character is a colour of ours.
      const safe = text.replace(unsafe, (part) => (colours && part.length > 1 ? part : '\uFFFD'))
      if (!json) output.write(`${safe}\n`)
    },
    record(fact) {
      if (json) output.write(`${JSON.stringify(fact)}\n`)
    },
    red: styled(31, 39),
    green: styled(32, 39),
    yellow: styled(33, 39),
    bold: styled(1, 22),
    dim: styled(2, 22),
  }
}

/** Resolves when the command is to end. */
export function ended(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
