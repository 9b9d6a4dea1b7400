import { createInterface } from 'node:readline'
import type { Io } from './io.js'

export interface Keys {
  /** Resolves when somebody asked for the end. */
  asked: Promise<void>
  quit(): void
  close(): void
}

/** Calls with each key on a terminal, and elsewhere with each line of the standard input. */
export function listenToKeys({ stdin }: Pick<Io, 'stdin'>, pressed: (word: string) => void): Keys {
  let quit = (): void => {}
  const asked = new Promise<void>((resolve) => {
    quit = resolve
  })
  if (stdin.isTTY === true && stdin.setRawMode !== undefined) {
    stdin.setRawMode(true)
    const onData = (data: Buffer): void => {
      const key = data.toString('utf8')
      // In raw mode the terminal sends no signal: Ctrl-C, Ctrl-D.
      if (key === '\u0003' || key === '\u0004') quit()
      else pressed(key.toLowerCase())
    }
    stdin.on('data', onData)
    stdin.resume()
    return {
      asked,
      quit,
      close() {
        stdin.off('data', onData)
        stdin.setRawMode?.(false)
        stdin.pause()
      },
    }
  }
  const lines = createInterface({ input: stdin })
  // Its end is no wish to end: there may have been no input at all.
  lines.on('line', (line) => {
    const word = line.trim().toLowerCase()
    if (word !== '') pressed(word)
  })
  return {
    asked,
    quit,
    close() {
      lines.close()
      stdin.pause()
    },
  }
}
