import { equal } from 'node:assert/strict'
import { canonicalAddress, messageKeys } from '../matching.js'
import type { MessageRecord, RecipientStatus, SendResult } from '../message.js'
import { recipientStatus } from '../status.js'
import type {
  Delivery,
  IncomingBatch,
  IngestResult,
  Lease,
  RecipientState,
  Schedule,
  Store,
  Tellable,
} from '../store.js'
import { same } from './comparing.js'
import { recordOf, start } from './store-samples.js'

/** Two handles on one new and empty database. */
export interface OpenedStore {
  store: Store
  other: Store
}

/** What every store must do, by the sentence that says it. */
export type Checks = Record<string, (opened: OpenedStore) => Promise<void>>

/** The same check for each of several values. */
export function each<T>(
  values: readonly T[],
  nameOf: (value: T) => string,
  check: (opened: OpenedStore, value: T) => Promise<void>,
): Checks {
  return Object.fromEntries(
    values.map((value) => [nameOf(value), (opened: OpenedStore) => check(opened, value)]),
  )
}

/** When everything is written where nothing else is said, in ms since 1970. */
export const now = start + 1000

/** How long leases last, in ms. */
export const leaseDuration = 30_000

/** When the leases that are taken at `now` end. */
export const leaseEnd = now + leaseDuration

/** When what is written at `now` without its message becomes foreign. */
export const foreignAt = now + 300_000

/** When everything is due that ever will be. */
export const farAhead = start + 1e12

/** Two dispatchers. */
export const first = 'first dispatcher'
export const second = 'second dispatcher'

export function leaseOf(owner: string, from = now): Lease {
  return { owner, until: from + leaseDuration }
}

/** The schedule of one who tells what it writes at `now`, or, without an owner, leaves it to others. */
export function scheduleOf(owner?: string): Schedule {
  return { now, foreignAt, ...(owner !== undefined && { lease: leaseOf(owner) }) }
}

export const byFirst = scheduleOf(first)
export const bySecond = scheduleOf(second)
export const byNobody = scheduleOf()

/** Writes a message. */
export function add(store: Store, record: MessageRecord, schedule = byFirst): Promise<Tellable> {
  return store.addMessage(record, messageKeys(record), schedule)
}

/** Writes a new message to these addresses. */
export async function added(store: Store, ...addresses: string[]): Promise<MessageRecord> {
  const record = recordOf(...(addresses.length > 0 ? addresses : ['ann@example.com']))
  await add(store, record)
  return record
}

/** Writes the provider's answer. */
export function answer(
  store: Store,
  record: MessageRecord,
  result: SendResult,
  schedule = byFirst,
): Promise<Tellable> {
  const keys = messageKeys({ ...record, ...result })
  return store.addResult(record.trackingId, result, keys, schedule)
}

/** Writes a batch that is no replay. */
export async function ingest(
  store: Store,
  batch: IncomingBatch,
  schedule = byFirst,
): Promise<Extract<IngestResult, { kind: 'stored' }>> {
  const result = await store.ingest(batch, schedule)
  if (result.kind === 'replayed') throw new Error('it was taken for a replay')
  return result
}

/** Takes what is due at a time, under a lease from then on. */
export function claim(store: Store, owner: string, at = now, limit = 2000): Promise<Delivery[]> {
  return store.claim(at, leaseOf(owner, at), limit)
}

/** Writes that every listener has taken these events. */
export function tell(store: Store, eventIds: readonly string[]): Promise<void> {
  return store.settle(eventIds.map((eventId) => ({ eventId, kind: 'told' })))
}

/** Writes that these events were given up, with the same progress for all. */
export function giveUp(store: Store, eventIds: readonly string[], at = now): Promise<void> {
  const progress = { crm: { attempts: 10, error: 'no', ended: 'given-up' as const } }
  return store.settle(eventIds.map((eventId) => ({ eventId, kind: 'given-up', progress, at })))
}

export function idsOf(told: readonly Pick<Delivery, 'event'>[]): string[] {
  return told.map(({ event }) => event.id)
}

export function typesOf(told: readonly Pick<Delivery, 'event'>[]): string[] {
  return told.map(({ event }) => event.type)
}

/** The id of the only event. */
export function onlyId(told: readonly Pick<Delivery, 'event'>[]): string {
  equal(told.length, 1, 'there should be one event')
  return told[0]?.event.id ?? ''
}

/** The state of a recipient of a message. */
export async function stateOf(
  store: Store,
  { trackingId }: MessageRecord,
  address = 'ann@example.com',
): Promise<RecipientState | undefined> {
  return (await store.message(trackingId))?.states.get(canonicalAddress(address))
}

/** The status of a recipient of a message. */
export async function statusOf(
  store: Store,
  record: MessageRecord,
  address?: string,
): Promise<RecipientStatus | undefined> {
  const state = await stateOf(store, record, address)
  return state && recipientStatus(state)
}

/** How often a recipient has opened a message, by its state and by its events, which must agree. */
export async function openingsIn(store: Store, { trackingId }: MessageRecord): Promise<number> {
  const stored = await store.message(trackingId)
  const counts = [...(stored?.states.values() ?? [])].map(
    ({ engagement }) => engagement.opened?.count ?? 0,
  )
  const count = counts.reduce((sum, one) => sum + one, 0)
  equal(stored?.events.filter(({ type }) => type === 'opened').length, count)
  return count
}

/** Nothing is left to be told. */
export async function nothingLeft(store: Store): Promise<void> {
  equal(await store.nextDue(), undefined)
  same(await claim(store, 'anybody', farAhead), [])
}
