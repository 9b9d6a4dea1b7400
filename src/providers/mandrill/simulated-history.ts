import { type Fields, fields, isFields, time } from '../../payload.js'
import type { SimulatedMessage, ToldEvent } from '../../simulator.js'

/** What `messages/info` tells of an id; undefined for one that it has told nothing of. */
export function messageInfo(id: string, told: readonly ToldEvent[]): Fields | undefined {
  const known = told.filter(({ message }) => addressOf(id, message) !== undefined)
  const [first] = known
  if (first === undefined) return undefined
  const address = addressOf(id, first.message)
  const entries = known
    .filter(({ event }) => event.recipient.toLowerCase() === address)
    .map(({ entry }) => fields(entry))
    .toSorted((a, b) => atOf(a) - atOf(b))
  const latest = fields(entries.at(-1)?.['msg'])
  const opens = visitsOf(entries, 'open')
  const clicks = visitsOf(entries, 'click')
  return {
    ts: entries.find(({ event }) => event === 'send')?.['ts'] ?? entries[0]?.['ts'] ?? null,
    _id: id,
    sender: latest['sender'] ?? null,
    template: null,
    subject: first.message.subject,
    email: latest['email'] ?? address,
    tags: first.message.tags,
    opens: opens.length,
    opens_detail: opens,
    clicks: clicks.length,
    clicks_detail: clicks,
    state: stateOf(entries),
    metadata: latest['metadata'] ?? [],
    reject: latest['reject'] ?? null,
    ...bounceOf(entries),
    smtp_events: entries.flatMap(attemptsOf).slice(-mostAttempts),
    resends: [],
  }
}

const mostAttempts = 3

const addressOf = (id: string, { recipients }: SimulatedMessage): string | undefined =>
  recipients.find((recipient) => recipient.id === id)?.address

const atOf = ({ ts }: Fields): number => time(ts)?.getTime() ?? 0

const states = new Map<unknown, string>([
  ['send', 'sent'],
  ['deferral', 'deferred'],
  ['delivered', 'sent'],
  ['hard_bounce', 'bounced'],
  ['soft_bounce', 'soft-bounced'],
  ['reject', 'rejected'],
  ['spam', 'spam'],
  ['unsub', 'unsub'],
])

function stateOf(entries: readonly Fields[]): string {
  return entries.flatMap(({ event }) => states.get(event) ?? []).at(-1) ?? 'queued'
}

const isBounce = ({ event }: Fields): boolean => event === 'hard_bounce' || event === 'soft_bounce'

function bounceOf(entries: readonly Fields[]): Fields {
  const bounce = entries.findLast(isBounce)
  return bounce ? { bounce_description: fields(bounce['msg'])['bounce_description'] } : {}
}

/** The attempt at SMTP that an event tells of; a bounce that came back as mail was none. */
function attemptsOf(entry: Fields): Fields[] {
  const { smtp_events, diag } = fields(entry['msg'])
  const attempts = Array.isArray(smtp_events) ? smtp_events.filter(isFields) : []
  if (!isBounce(entry)) return attempts
  if (attempts.length > 0) return []
  return [
    { ts: entry['ts'], type: states.get(entry['event']), diag: String(diag).replace(/^smtp;/, '') },
  ]
}

/** A browser that is known is told by its names, and what is not as it named itself. */
function visitsOf(entries: readonly Fields[], kind: string): Fields[] {
  return entries
    .filter(({ event }) => event === kind)
    .map(({ ts, ip, url, user_agent, user_agent_parsed }) => ({
      ts,
      ip,
      location: null,
      ua: isFields(user_agent_parsed) ? summaryOf(user_agent_parsed) : user_agent,
      ...(url !== undefined && { url }),
    }))
}

/** As in the API's documents: `Linux/Ubuntu/Chrome/Chrome 28.0.1500.53`. */
function summaryOf({ os_family, os_name, ua_family, ua_name }: Fields): string {
  return [os_family, os_name, ua_family, ua_name].filter(Boolean).join('/')
}
