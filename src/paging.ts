/** Which page of a list is asked for. */
export interface Paging {
  /** How many at most; default 100. */
  limit?: number
  /** Where the page before ended. */
  cursor?: string
}

/** @throws TypeError for a limit that is no whole number from 1 */
export function checkedPaging(
  method: string,
  { limit = 100, cursor }: Paging = {},
): { limit: number; cursor: string | undefined } {
  if (!Number.isSafeInteger(limit) || limit < 1) {
    throw new TypeError(`${method}: limit must be a whole number from 1, and is ${limit}`)
  }
  return { limit, cursor }
}

/** The page of what was found with a limit of one more: that one says whether there is another page. */
export function pageOf<T>(
  found: readonly T[],
  limit: number,
  idOf: (entry: T) => string,
): { page: T[]; cursor?: string } {
  const page = found.slice(0, limit)
  const end = page.at(-1)
  return { page, ...(found.length > limit && end !== undefined && { cursor: idOf(end) }) }
}
