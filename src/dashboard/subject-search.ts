import type { Correlator } from '../correlator.js'
import type { MessageQuery } from '../questions.js'
import type { FoundMessage } from '../tracked-message.js'

/** How many messages are looked at for one page, and how many are read at once. */
const mostLookedAt = 2000
const lookedAtOnce = 500

export interface FoundBySubject {
  messages: FoundMessage[]
  /** Where to go on: there may be more even where nothing was found. */
  cursor?: string
  /** How many messages were looked at. */
  lookedAt: number
}

/**
 * Messages with a part of their subject. No store has an index of that, so it looks through those that fit the
 * rest, the newest first, and through no more than 2,000 at a time.
 */
export async function findBySubject(
  correlator: Pick<Correlator, 'find'>,
  query: MessageQuery,
  subject: string,
  limit: number,
  after?: string,
): Promise<FoundBySubject> {
  const wanted = subject.toLowerCase()
  const messages: FoundMessage[] = []
  let cursor = after
  let lookedAt = 0
  for (;;) {
    const paging = { limit: lookedAtOnce, ...(cursor !== undefined && { cursor }) }
    const page = await correlator.find(query, paging)
    for (const [index, message] of page.messages.entries()) {
      lookedAt += 1
      if (message.subject?.toLowerCase().includes(wanted)) messages.push(message)
      const more = index + 1 < page.messages.length || page.cursor !== undefined
      if (messages.length === limit && more) {
        return { messages, lookedAt, cursor: message.trackingId }
      }
    }
    cursor = page.cursor
    if (cursor === undefined) return { messages, lookedAt }
    if (lookedAt >= mostLookedAt) return { messages, lookedAt, cursor }
  }
}
