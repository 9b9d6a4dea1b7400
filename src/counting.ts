import { addTo, countKey, type Counts, namesOf } from './counts.js'
import type { AnyEvent } from './event.js'
import type { EngagementKind, MessageRecord } from './message.js'
import { recipientStatus } from './status.js'
import type { CountChange, CountDimension, RecipientState } from './store.js'

const day = 24 * 3600_000
const minute = 60_000

/** Longer ones are cut: links and reasons come from outside. */
const longestValue = 200

/**
 * Gathers what a transaction changes in what is counted. Everything is counted by the time at which its
 * message was sent, and follows from the message, the states of its recipients and its events alone: so that
 * what was counted and a recount of them are always the same.
 */
export interface Counting {
  /** A message is written, in the place of an earlier record of it where there was one. */
  message(record: MessageRecord, before?: MessageRecord): void
  /** The state of one of its recipients changes; it had none before where it is new. */
  recipient(
    record: MessageRecord,
    address: string,
    state: RecipientState,
    before?: RecipientState,
  ): void
  /** The message of this record is counted under another one's provider, time, tags and template. */
  moved(
    record: MessageRecord,
    before: MessageRecord,
    states: Iterable<readonly [address: string, state: RecipientState]>,
  ): void
  /** A recipient has another address. */
  renamed(record: MessageRecord, from: string, to: string, state: RecipientState): void
  /** An event joins its message. */
  event(record: MessageRecord, event: AnyEvent): void
  /** All of it, each row once, and none that changes nothing. */
  changes(): CountChange[]
}

export function createCounting(): Counting {
  const rows = new Map<string, CountChange>()

  function add(
    record: MessageRecord,
    dimension: CountDimension,
    value: string,
    counts: Counts,
    sign: 1 | -1,
  ): void {
    const { provider } = record
    const length = dimension === 'minute' ? minute : day
    const sentAt = record.sentAt.getTime()
    const start = sentAt - (sentAt % length)
    const place = { start, provider, dimension, value: value.slice(0, longestValue) }
    const key = countKey(place)
    let row = rows.get(key)
    if (!row) {
      row = { ...place, counts: {} }
      rows.set(key, row)
    }
    addTo(row.counts, counts, sign)
  }

  /** Under everything that a message is counted by. */
  function addAll(record: MessageRecord, counts: Counts, sign: 1 | -1): void {
    add(record, 'all', '', counts, sign)
    add(record, 'minute', '', counts, sign)
    if (record.templateId !== undefined) add(record, 'template', record.templateId, counts, sign)
    for (const tag of new Set(record.tags)) add(record, 'tag', tag, counts, sign)
  }

  function addMessage(record: MessageRecord, sign: 1 | -1): void {
    const { outcome, error } = record
    addAll(
      record,
      {
        messages: 1,
        ...(outcome === 'sent' && { sent: 1 }),
        ...(outcome === 'failed' && { unsent: 1 }),
      },
      sign,
    )
    if (outcome === 'failed' && error) {
      add(record, 'reason', `unsent: ${error.category}`, { events: 1 }, sign)
    }
  }

  function addRecipient(
    record: MessageRecord,
    address: string,
    counts: Counts,
    sign: 1 | -1,
  ): void {
    addAll(record, counts, sign)
    add(record, 'domain', domainOf(address), counts, sign)
  }

  return {
    message(record, before) {
      if (before) addMessage(before, -1)
      addMessage(record, 1)
    },
    recipient(record, address, state, before) {
      addRecipient(record, address, difference(countsOf(state), before ? countsOf(before) : {}), 1)
    },
    moved(record, before, states) {
      for (const [address, state] of states) {
        const counts = countsOf(state)
        addRecipient(before, address, counts, -1)
        addRecipient(record, address, counts, 1)
      }
    },
    renamed(record, from, to, state) {
      add(record, 'domain', domainOf(from), countsOf(state), -1)
      add(record, 'domain', domainOf(to), countsOf(state), 1)
    },
    event(record, event) {
      const reason = reasonOf(event)
      if (reason !== undefined) add(record, 'reason', reason, { events: 1 }, 1)
      if (event.type === 'clicked') {
        add(record, 'link', withoutQuery(event.url), { events: 1 }, 1)
      }
    },
    changes: () => [...rows.values()].filter(changesSomething),
  }
}

/** Takes out what has come to nothing. */
function changesSomething({ counts }: CountChange): boolean {
  const names = namesOf(counts)
  for (const name of names) if (counts[name] === 0) delete counts[name]
  return names.some((name) => counts[name] !== undefined)
}

/** Whether recipients have to be counted anew when a record takes the place of another. */
export function isCountedAlike(a: MessageRecord, b: MessageRecord): boolean {
  return (
    a.provider === b.provider &&
    a.sentAt.getTime() === b.sentAt.getTime() &&
    a.templateId === b.templateId &&
    JSON.stringify(a.tags) === JSON.stringify(b.tags)
  )
}

function countsOf(state: RecipientState): Counts {
  const counts: Counts = { recipients: 1, [recipientStatus(state)]: 1 }
  for (const kind of [
    'opened',
    'clicked',
    'complained',
    'unsubscribed',
  ] satisfies EngagementKind[]) {
    if (state.engagement[kind]) counts[kind] = 1
  }
  if (state.engagement.opened) counts.opens = state.engagement.opened.count
  if (state.engagement.clicked) counts.clicks = state.engagement.clicked.count
  return counts
}

function difference(counts: Counts, before: Counts): Counts {
  const changed = { ...counts }
  addTo(changed, before, -1)
  return changed
}

function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1)
}

/** Why mail did not arrive, in few words, so that like reasons are counted together. */
function reasonOf(event: AnyEvent): string | undefined {
  switch (event.type) {
    case 'bounced': {
      const { kind, enhancedCode, smtpCode } = event.bounce
      const code = enhancedCode ?? smtpCode
      return `bounced: ${kind}${code === undefined ? '' : ` ${code}`}`
    }
    case 'deferred':
      return `deferred${event.smtpCode === undefined ? '' : `: ${event.smtpCode}`}`
    case 'rejected':
      return `rejected: ${event.reason}`
    case 'failed':
    case 'complained':
    case 'unsubscribed':
      return event.type
    case 'accepted':
    case 'delivered':
    case 'opened':
    case 'clicked':
    case 'subscribed':
    case 'suppression':
    case 'inbound':
    case 'unknown':
      return undefined
  }
}

/** What follows the path differs for every recipient in many links, and may tell who it is. */
function withoutQuery(url: string): string {
  return url.replace(/[?#][\s\S]*$/, '')
}
