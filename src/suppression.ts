import type { AnyEvent, SubscriptionScope } from './event.js'
import { canonicalAddress } from './matching.js'
import type { Suppression, SuppressionCause, SuppressionFact, SuppressionState } from './store.js'

// What a provider's word can undo; what was added by hand is taken back by hand.
const causesOfEvents: readonly SuppressionCause[] = [
  'bounced',
  'complained',
  'unsubscribed',
  'listed',
]

export const suppressionCauses: readonly SuppressionCause[] = [...causesOfEvents, 'added']

const everything: SubscriptionScope = { kind: 'all' }

/** What an event says of whether an address may be mailed; mostly nothing. */
export function factsOf(event: AnyEvent): SuppressionFact[] {
  const { provider, recipient = '' } = event
  const at = event.occurredAt.getTime()
  const of = (address: string) => ({ address: canonicalAddress(address), at, provider })
  const added = (
    cause: SuppressionCause,
    detail: string | undefined,
    scope: SubscriptionScope = everything,
  ): SuppressionFact[] =>
    recipient === ''
      ? []
      : [
          {
            ...of(recipient),
            kind: 'added',
            cause,
            scope: scopeKey(scope, provider),
            ...inWords(detail),
          },
        ]
  const allowed = (address: string, scope: SubscriptionScope = everything): SuppressionFact[] =>
    causesOfEvents.map((cause) => ({
      ...of(address),
      kind: 'removed',
      cause,
      scope: scopeKey(scope, provider),
    }))
  switch (event.type) {
    case 'bounced':
      return event.bounce.kind === 'hard' ? added('bounced', event.response) : []
    case 'complained':
      return added('complained', undefined)
    case 'rejected':
      // The provider has it on its list already. Of unsubscribed ones it does not say from what.
      if (event.reason === 'bounced') return added('bounced', event.detail)
      return event.reason === 'spam' ? added('complained', event.detail) : []
    case 'unsubscribed':
      return added('unsubscribed', undefined, event.scope)
    case 'subscribed':
      if (recipient === '') return []
      if (event.scope.kind === 'all') return allowed(recipient)
      return [
        {
          ...of(recipient),
          kind: 'removed',
          cause: 'unsubscribed',
          scope: scopeKey(event.scope, provider),
        },
      ]
    case 'suppression': {
      const { address, list, action, scope, reason, expiresAt } = event
      if (list === 'allow') return action === 'removed' ? [] : allowed(address, scope)
      if (action === 'removed') return allowed(address, scope)
      const expiry = expiresAt && { expiresAt: expiresAt.getTime() }
      return [
        {
          ...of(address),
          kind: 'added',
          cause: 'listed',
          scope: scopeKey(scope ?? everything, provider),
          ...inWords(reason),
          ...expiry,
        },
      ]
    }
    case 'accepted':
    case 'deferred':
    case 'delivered':
    case 'failed':
    case 'opened':
    case 'clicked':
    case 'inbound':
    case 'unknown':
      return []
  }
}

/** Longer words are cut: they come from servers that anybody may run. */
const longestDetail = 500

function inWords(detail: string | undefined): { detail?: string } {
  return detail === undefined || detail === '' ? {} : { detail: detail.slice(0, longestDetail) }
}

/** A scope as stores keep it. The id of a group or list is its provider's own. */
export function scopeKey({ kind, id = '' }: SubscriptionScope, provider = ''): string {
  return kind === 'all' ? kind : `${kind}:${provider}:${id}`
}

function scopeOf(key: string): SubscriptionScope {
  const [kind, , ...id] = key.split(':')
  if (kind !== 'group' && kind !== 'list') return everything
  return { kind, ...(id.join(':') !== '' && { id: id.join(':') }) }
}

/**
 * What is known with one fact more. Their order does not matter, nor how often each is taken: all that is
 * kept is the first, the last, and what the last one said.
 */
export function withFact(
  known: SuppressionState | undefined,
  { kind, at, provider, detail, expiresAt }: SuppressionFact,
): SuppressionState {
  if (kind === 'removed') return { ...known, removedAt: Math.max(known?.removedAt ?? at, at) }
  const addedAt = known?.addedAt
  const said = { provider: provider ?? '', detail: detail ?? '', expiresAt: expiresAt ?? 0 }
  const later =
    addedAt === undefined || at > addedAt || (at === addedAt && isGreater(said, known ?? {}))
  return {
    ...known,
    firstAddedAt: Math.min(known?.firstAddedAt ?? at, at),
    ...(later && { addedAt: at, ...said }),
  }
}

/** Of two things that were said at the same time the same one is kept, whichever came first. */
function isGreater(
  a: Pick<Required<SuppressionState>, 'provider' | 'detail' | 'expiresAt'>,
  { provider = '', detail = '', expiresAt = 0 }: SuppressionState,
): boolean {
  if (a.provider !== provider) return a.provider > provider
  return a.detail === detail ? a.expiresAt > expiresAt : a.detail > detail
}

/** Whether it was not removed since. Told at the same time it stands: one mail too few is the smaller harm. */
export function isAdded({ addedAt, removedAt = 0 }: SuppressionState): boolean {
  return addedAt !== undefined && addedAt >= removedAt
}

/**
 * The suppression that a state amounts to.
 *
 * @param now in ms since 1970
 * @returns undefined while the address may be mailed
 */
export function suppressionOf(
  address: string,
  scope: string,
  cause: SuppressionCause,
  { firstAddedAt, addedAt, removedAt, provider, detail, expiresAt }: SuppressionState,
  now: number,
): Suppression | undefined {
  if (addedAt === undefined || firstAddedAt === undefined) return undefined
  if (!isAdded({ addedAt, removedAt: removedAt ?? 0 })) return undefined
  if (expiresAt && expiresAt <= now) return undefined
  const since = removedAt !== undefined && firstAddedAt <= removedAt ? addedAt : firstAddedAt
  return {
    address,
    scope: scopeOf(scope),
    cause,
    ...(provider && { provider }),
    ...(detail && { detail }),
    since: new Date(since),
    ...(expiresAt && { expiresAt: new Date(expiresAt) }),
  }
}
