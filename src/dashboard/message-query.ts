import type { MessageQuery } from '../questions.js'
import { recipientStatuses } from '../status.js'

/** What messages are looked for by, as it stands in a URL. */
export interface MessageSearch {
  query: MessageQuery
  /** A part of the subject, in whatever case. */
  subject: string
  /** What could not be understood, in words. */
  flaws: string[]
}

/** The state in the URL as a question. What cannot be understood is told, and left out. */
export function messageSearch(parameters: URLSearchParams): MessageSearch {
  const flaws: string[] = []
  const given = (name: string): string => (parameters.get(name) ?? '').trim()
  const query: MessageQuery = {}
  if (given('recipient') !== '') query.recipient = given('recipient')
  if (given('provider') !== '') query.provider = given('provider')
  if (given('tag') !== '') query.tag = given('tag')
  const status = recipientStatuses.find((known) => known === given('status'))
  if (status !== undefined) query.status = status
  else if (given('status') !== '') flaws.push('There is no such status.')
  const metadata = pairOf(given('metadata'))
  if (metadata) query.metadata = metadata
  else if (given('metadata') !== '') flaws.push('Metadata is asked for as name=value.')
  const from = dateOf(given('from'))
  const to = dateOf(given('to'))
  if (from === 'wrong' || to === 'wrong') flaws.push('Days are written as 2026-11-28.')
  if (from instanceof Date) query.from = from
  // The day itself counts.
  if (to instanceof Date) query.to = new Date(to.getTime() + 24 * 3600_000)
  return { query, subject: given('subject'), flaws }
}

function pairOf(text: string): Record<string, string> | undefined {
  const at = text.indexOf('=')
  if (at < 1) return undefined
  return { [text.slice(0, at).trim()]: text.slice(at + 1).trim() }
}

function dateOf(text: string): Date | 'wrong' | undefined {
  if (text === '') return undefined
  const time = /^\d{4}-\d{2}-\d{2}$/.test(text) ? new Date(text) : undefined
  return time === undefined || Number.isNaN(time.getTime()) ? 'wrong' : time
}
