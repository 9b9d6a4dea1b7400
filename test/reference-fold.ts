/** A fact about one recipient of one of a few messages; times are in s. */
export interface Fact {
  message: number
  recipient: string
  kind:
    | 'accepted'
    | 'deferred'
    | 'delivered'
    | 'bounced'
    | 'bounced later'
    | 'rejected'
    | 'opened'
    | 'opened by a machine'
    | 'clicked'
    | 'complained'
    | 'unsubscribed'
  at: number
  /** Which ids of its message it bears. */
  knows: 'own-id' | 'provider-id' | 'message-id' | 'own-id and provider-id'
}

/**
 * What a set of facts says of a message that its provider has accepted: written for reading, without
 * anything of the code that it is held against.
 */
export function referenceOf(
  facts: readonly Fact[],
  addresses: readonly string[],
  addressOf: (recipient: string) => string,
) {
  const distinct = [...new Map(facts.map((fact) => [identityOf(fact), fact])).values()]
  const recipients = Object.fromEntries(
    addresses.map((address) => {
      const mine = distinct.filter(({ recipient }) => addressOf(recipient) === address)
      return [address, { status: statusOf(mine), engagement: engagementOf(mine) }]
    }),
  )
  const statuses = Object.values(recipients).map(({ status }) => status)
  return {
    status: worstOf(statuses),
    recipients,
    events: distinct.length,
    timeline: distinct
      .toSorted((a, b) => a.at - b.at || orderOf(a) - orderOf(b))
      .map((fact) => `${fact.at * 1000} ${typeOf(fact)}`),
  }
}

/** Facts with the same are one fact; an event that bears the provider's id is known by that. */
function identityOf({ recipient, kind, at, knows }: Fact): string {
  return [recipient, kind, at, knows.replace('own-id and ', '')].join()
}

const typeOf = ({ kind }: Fact): string => kind.split(' ')[0] ?? ''

const life = ['accepted', 'deferred', 'delivered', 'bounced', 'rejected', 'opened', 'clicked']
const orderOf = (fact: Fact): number =>
  [...life, 'complained', 'unsubscribed'].indexOf(typeOf(fact))

function statusOf(facts: readonly Fact[]): string {
  const timesOf = (kind: Fact['kind']): number[] =>
    facts.filter((fact) => fact.kind === kind).map(({ at }) => at)
  const has = (kind: Fact['kind']): boolean => timesOf(kind).length > 0
  if (has('bounced later')) return 'bounced'
  const lastDelivered = Math.max(-1, ...timesOf('delivered'))
  const lastBounced = Math.max(-1, ...timesOf('bounced'))
  if (has('bounced')) return lastDelivered > lastBounced ? 'delivered' : 'bounced'
  if (has('delivered')) return 'delivered'
  if (has('rejected')) return 'rejected'
  return has('deferred') ? 'deferred' : 'accepted'
}

function worstOf(statuses: readonly string[]): string | undefined {
  return ['rejected', 'bounced', 'deferred', 'accepted', 'delivered'].find((status) =>
    statuses.includes(status),
  )
}

type Tally = ReturnType<typeof tallyOf>

function engagementOf(facts: readonly Fact[]): Record<string, Tally & { withoutMachines?: Tally }> {
  const engagement: Record<string, Tally & { withoutMachines?: Tally }> = {}
  for (const type of ['opened', 'clicked', 'complained', 'unsubscribed']) {
    const seen = facts.filter((fact) => typeOf(fact) === type)
    const people = seen.filter(({ kind }) => kind !== 'opened by a machine')
    if (seen.length === 0) continue
    engagement[type] = {
      ...tallyOf(seen),
      ...(people.length > 0 && { withoutMachines: tallyOf(people) }),
    }
  }
  return engagement
}

function tallyOf(facts: readonly Fact[]) {
  const times = facts.map(({ at }) => at * 1000)
  return {
    count: facts.length,
    first: new Date(Math.min(...times)),
    last: new Date(Math.max(...times)),
  }
}
