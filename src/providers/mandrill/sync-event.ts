import type { EventFact, ParsedEvent } from '../../event.js'
import { type Fields, fields, isoTime, text, time } from '../../payload.js'

// The names changed over the years (blacklist, denylist); webhooks kept the old ones.
const lists = new Map<string, 'reject' | 'allow'>([
  ['blacklist', 'reject'],
  ['denylist', 'reject'],
  ['blocklist', 'reject'],
  ['whitelist', 'allow'],
  ['allowlist', 'allow'],
  ['safelist', 'allow'],
])

const actions = new Map<string, 'added' | 'changed' | 'removed'>([
  ['add', 'added'],
  ['change', 'changed'],
  ['remove', 'removed'],
])

/** An entry that tells a change of the denylist or the allowlist. It has no `event`, but a `type`. */
export function readSyncEvent(raw: Fields): ParsedEvent {
  const occurredAt = time(raw['ts'])
  // An allowlist has it under `entry`; once documents said `reject`, and Djrill's say it still.
  const entry = { ...fields(raw['entry']), ...fields(raw['reject']) }
  const address = text(entry['email'])?.trim()
  // An address can be on several lists: the account's, a subaccount's, and one sender's.
  const owner = [entry['subaccount'], entry['sender']].flatMap((value) => text(value) ?? [])
  return {
    ...readSuppression(raw, entry, address),
    // Djrill's name for it.
    providerEvent: `${text(raw['type']) ?? ''}_${text(raw['action']) ?? ''}`,
    tags: [],
    metadata: {},
    raw,
    ...(address !== undefined && { recipient: address }),
    ...(occurredAt && { occurredAt }),
    ...(owner.length > 0 && { discriminator: owner.join(' ') }),
  }
}

function readSuppression(raw: Fields, entry: Fields, address: string | undefined): EventFact {
  const list = lists.get(word(raw['type']))
  const action = actions.get(word(raw['action']))
  if (list === undefined || action === undefined) return { type: 'unknown' }
  if (address === undefined) return { type: 'unknown', error: 'it names no address' }
  // An entry may be for one subaccount, or one sender.
  const owner = text(entry['subaccount']) ?? text(entry['sender'])
  const reason = text(entry['reason'])
  const expiresAt = isoTime(entry['expires_at'])
  return {
    type: 'suppression',
    list,
    action,
    address,
    ...(owner !== undefined && { scope: { kind: 'group', id: owner } }),
    ...(reason !== undefined && { reason }),
    ...(expiresAt && { expiresAt }),
  }
}

const word = (value: unknown): string => text(value)?.trim().toLowerCase() ?? ''
