/** When something has to be over. */
export interface Deadline {
  /** Resolves as the promise does, but rejects when the time is over before. */
  before<T>(promise: Promise<T>): Promise<T>
  end(): void
}

/**
 * A server that does not answer at all must not be waited for: it keeps no timeout either.
 *
 * @param within in ms; without it there is no end
 */
export function createDeadline(within: number | undefined): Deadline {
  if (within === undefined) return { before: (promise) => promise, end: () => {} }
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`the database took longer than ${within} ms`))
    }, within)
  })
  over.catch(() => {})
  return {
    before: (promise) => Promise.race([promise, over]),
    end: () => clearTimeout(timer),
  }
}
