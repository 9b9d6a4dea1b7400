import { messageOf } from './errors.js'
import { inStore } from './in-store.js'
import type { SubscriptionScope } from './event.js'
import { canonicalAddress } from './matching.js'
import { checkedPaging, pageOf, type Paging } from './paging.js'
import type {
  Store,
  StoredSuppression,
  Suppression,
  SuppressionCause,
  SuppressionFact,
} from './store.js'
import { fromCsv, type ImportedRow, toCsv } from './suppression-csv.js'
import { scopeKey, suppressionCauses, suppressionOf } from './suppression.js'

/** What is said of an address that is added by hand. */
export interface SuppressionOptions {
  /** What must not be sent to it; everything by default. A group or list is one of `provider`. */
  scope?: SubscriptionScope
  /** `added` by default. Another one ends as one that events have told, when its owner subscribes again. */
  cause?: SuppressionCause
  /** Whose group or list the scope is. */
  provider?: string
  /** Why, in your words. */
  detail?: string
  /** Since when; now by default. */
  since?: Date
  /** Until when; for good by default. */
  expiresAt?: Date
}

/** An address on a list, and what is said of it. */
export interface SuppressionEntry extends SuppressionOptions {
  address: string
}

/** What is taken back: all that fits. */
export interface SuppressionFilter {
  scope?: SubscriptionScope
  cause?: SuppressionCause
  provider?: string
}

/** What became of a list that was read in. */
export interface ImportResult {
  added: number
  /** How many entries could not be taken. */
  refused: number
  /** The first of them, by their lines, or their places from 1 on, without what stands in them. */
  flaws: { line: number; flaw: string }[]
}

/** How many flaws are told of one list. */
const mostFlaws = 100

/** How many rows are written at once. */
const importedAtOnce = 500

/** How many are read at once for an export. */
const exportedAtOnce = 1000

/** The addresses that must not be mailed. Events keep them in step, and transports ask them before they send. */
export interface Suppressions {
  /** Why an address must not be mailed; empty while it may be. */
  get(address: string): Promise<Suppression[]>
  /** @throws TypeError for what is no address, scope, cause or time */
  add(address: string, options?: SuppressionOptions): Promise<void>
  /** Takes back what is known of an address so far, or what fits. Resolves to how much it was. */
  remove(address: string, filter?: SuppressionFilter): Promise<number>
  /** All of them, in no order that says anything. There are more while a `cursor` comes along. */
  list(paging?: Paging): Promise<{ suppressions: Suppression[]; cursor?: string }>
  /** All of them as CSV, in pieces, the names of the columns first. Needs `csv-stringify`. */
  exportCsv(): AsyncIterable<string>
  /**
   * Adds what stands in a CSV: one of `exportCsv`, or a provider's own, by the columns `address` or `email`,
   * `reason` or `error`, and `created`. Rows that cannot be taken are told and passed over; what was removed after
   * the time that a row says stays removed. Needs `csv-parse`.
   *
   * @param source its text, or a stream of it
   * @param defaults of what a row does not say
   */
  importCsv(
    source: string | AsyncIterable<string | Uint8Array>,
    defaults?: SuppressionOptions,
  ): Promise<ImportResult>
  /** Adds the entries of a list in the same way, as of a provider's own that was fetched. */
  importEntries(entries: AsyncIterable<SuppressionEntry>): Promise<ImportResult>
}

async function* numbered(entries: AsyncIterable<SuppressionEntry>): AsyncGenerator<ImportedRow> {
  let line = 0
  for await (const entry of entries) {
    line += 1
    yield { line, entry }
  }
}

export function createSuppressions(store: Store): Suppressions {
  async function* all(): AsyncGenerator<Suppression> {
    let place: string | undefined
    for (;;) {
      const page = await inStore('listing suppressions', () =>
        store.suppressions(exportedAtOnce, place),
      )
      const now = Date.now()
      for (const stored of page) yield* inForce(stored, now)
      place = page.at(-1)?.place
      if (page.length < exportedAtOnce) return
    }
  }

  async function importRows(rows: AsyncIterable<ImportedRow>): Promise<ImportResult> {
    const result: ImportResult = { added: 0, refused: 0, flaws: [] }
    let facts: SuppressionFact[] = []
    const write = async (): Promise<void> => {
      const batch = facts
      facts = []
      await inStore('writing suppressions', () => store.suppress(batch))
      result.added += batch.length
    }
    for await (const { line, ...row } of rows) {
      try {
        if ('flaw' in row) throw new TypeError(row.flaw)
        facts.push(toFact(row.entry.address, row.entry))
      } catch (error) {
        result.refused += 1
        if (result.flaws.length < mostFlaws) result.flaws.push({ line, flaw: messageOf(error) })
      }
      if (facts.length === importedAtOnce) await write()
    }
    await write()
    return result
  }

  return {
    async get(address) {
      const canonical = checkedAddress('get', address)
      const known = await inStore('reading suppressions', () => store.suppressionsOf([canonical]))
      return known.flatMap((stored) => inForce(stored, Date.now()))
    },

    async add(address, options = {}) {
      const fact = toFact(address, options)
      await inStore('writing a suppression', async () => {
        const known = (await store.suppressionsOf([fact.address])).find(
          ({ scope, cause }) => scope === fact.scope && cause === fact.cause,
        )
        // It stands from now on, also where it was removed after the time that it is said to be since.
        const at = Math.max(fact.at, Date.now(), known?.state.removedAt ?? 0)
        await store.suppress([fact, { ...fact, at }])
      })
    },

    async remove(address, { scope, cause, provider } = {}) {
      const canonical = checkedAddress('remove', address)
      return inStore('removing suppressions', async () => {
        const now = Date.now()
        const known = await store.suppressionsOf([canonical])
        const taken = known.filter(
          (stored) =>
            inForce(stored, now).length > 0 &&
            (scope === undefined || stored.scope === scopeKey(scope, provider)) &&
            (cause === undefined || stored.cause === cause) &&
            (provider === undefined || stored.state.provider === provider),
        )
        await store.suppress(
          taken.map(({ scope: key, cause: of, state: { addedAt = now } }) => ({
            kind: 'removed',
            address: canonical,
            scope: key,
            cause: of,
            // What was added in this very moment, or by a clock ahead of ours, is taken back too.
            at: Math.max(now, addedAt + 1),
          })),
        )
        return taken.length
      })
    },

    exportCsv: () => toCsv(all()),

    importCsv: (source, defaults = {}) => importRows(fromCsv(source, defaults)),

    importEntries: (entries) => importRows(numbered(entries)),

    async list(paging) {
      const { limit, cursor } = checkedPaging('suppressions.list', paging)
      const found = await inStore('listing suppressions', () =>
        store.suppressions(limit + 1, cursor),
      )
      const { page, ...next } = pageOf(found, limit, ({ place }) => place)
      const now = Date.now()
      return { suppressions: page.flatMap((stored) => inForce(stored, now)), ...next }
    },
  }
}

/** Of what is stored, what keeps mail from its address at this time. */
export function inForce(
  { address, scope, cause, state }: StoredSuppression,
  now: number,
): Suppression[] {
  const suppression = suppressionOf(address, scope, cause, state, now)
  return suppression ? [suppression] : []
}

function toFact(address: string, options: SuppressionOptions): SuppressionFact {
  const canonical = checkedAddress('add', address)
  const { scope, cause, provider, detail, since, expiresAt } = checkedOptions(options)
  return {
    kind: 'added',
    address: canonical,
    scope: scopeKey(scope, provider),
    cause,
    at: since.getTime(),
    ...(provider !== undefined && { provider }),
    ...(detail !== undefined && { detail }),
    ...(expiresAt && { expiresAt: expiresAt.getTime() }),
  }
}

function checkedAddress(method: string, address: unknown): string {
  if (typeof address === 'string' && /^[^\s@]+@[^\s@]+$/.test(canonicalAddress(address))) {
    return canonicalAddress(address)
  }
  throw new TypeError(`suppressions.${method}: an address such as ann@example.com is needed`)
}

function checkedOptions({
  scope = { kind: 'all' },
  cause = 'added',
  since = new Date(),
  ...others
}: SuppressionOptions) {
  if (!suppressionCauses.includes(cause)) {
    throw new TypeError(`suppressions.add: cause is one of ${suppressionCauses.join(', ')}`)
  }
  if (!['all', 'group', 'list'].includes(scope.kind)) {
    throw new TypeError('suppressions.add: scope.kind is all, group or list')
  }
  if (scope.kind !== 'all' && (!others.provider || !scope.id)) {
    throw new TypeError('suppressions.add: a group or list has an id, and is one of a provider')
  }
  for (const time of [since, others.expiresAt]) {
    if (time !== undefined && !(time instanceof Date && !Number.isNaN(time.getTime()))) {
      throw new TypeError('suppressions.add: since and expiresAt are dates')
    }
  }
  return { scope, cause, since, ...others }
}
