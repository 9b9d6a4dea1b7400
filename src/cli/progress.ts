import { exported, optionalPackage } from '../optional-package.js'
import { createPrinter, type Io } from './io.js'

/** Long work that people watch. */
export interface Progress {
  /** @param done so much of the total */
  reached(done: number, words: string): void
  /** The last word. */
  end(words: string): void
}

/** What is used of the package: of its progress bar, and of its spinner where no total is known. */
interface Bar {
  start(words: string): void
  advance?(step: number, words: string): void
  message(words: string): void
  stop(words: string): void
}

type MakeBar = (options: { output: Io['stderr']; max?: number }) => Bar

const isMaker = (value: unknown): value is MakeBar => typeof value === 'function'

const loadBars = optionalPackage(
  '@clack/prompts',
  () => import('@clack/prompts'),
  (module) => {
    const progress = exported(module, 'progress')
    const spinner = exported(module, 'spinner')
    return isMaker(progress) && isMaker(spinner) ? { progress, spinner } : undefined
  },
  (message) => new Error(message),
)

/**
 * A bar on a terminal that has the package for it; else the last word alone, on the standard error.
 *
 * @param total how much there is to do, where that is known
 */
export async function startProgress(
  { stderr, env }: Pick<Io, 'stderr' | 'env'>,
  words: string,
  { total, json }: { total?: number; json: boolean | undefined },
): Promise<Progress> {
  const bars = stderr.isTTY === true && !json ? await loadBars().catch(() => undefined) : undefined
  if (!bars) {
    const printer = createPrinter(stderr, env, json)
    return { reached() {}, end: (last) => printer.line(last) }
  }
  const bar =
    total === undefined
      ? bars.spinner({ output: stderr })
      : bars.progress({ output: stderr, max: total })
  let before = 0
  bar.start(words)
  return {
    reached(done, now) {
      if (bar.advance) bar.advance(done - before, now)
      else bar.message(now)
      before = done
    },
    end: (last) => bar.stop(last),
  }
}
