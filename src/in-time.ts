/** What Node's timers can wait for, in ms, with a margin: they fire at once for anything longer. */
export const longestTimer = 2_000_000_000

/** Rejects with the error when the work takes longer than so many ms; the work itself goes on. */
export async function inTime<T>(
  limit: number,
  late: () => Error,
  work: () => Promise<T>,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const expiry = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), limit)
  })
  try {
    return await Promise.race([work(), expiry])
  } finally {
    clearTimeout(timer)
  }
}
