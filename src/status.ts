import type { AnyEvent } from './event.js'
import type {
  Engagement,
  EngagementKind,
  MessageStatus,
  RecipientStatus,
  SendOutcome,
  SendStatus,
} from './message.js'
import type { EngagementState, RecipientState, Tally } from './store.js'

/** Every status of a recipient, the first ones first. */
export const recipientStatuses: readonly RecipientStatus[] = [
  'pending',
  'accepted',
  'deferred',
  'delivered',
  'bounced',
  'rejected',
  'failed',
]

type Step = RecipientState['step']

const stepRank: Record<Step, number> = {
  pending: 0,
  accepted: 1,
  deferred: 2,
  failed: 3,
  rejected: 4,
}

export const initialState: RecipientState = { step: 'pending', engagement: {} }

/** The state after one more event. Events that say nothing of delivery or engagement change nothing. */
export function withEvent(state: RecipientState, event: AnyEvent): RecipientState {
  const at = event.occurredAt.getTime()
  switch (event.type) {
    case 'accepted':
    case 'deferred':
    case 'rejected':
    case 'failed':
      return withStep(state, event.type)
    case 'delivered':
      return { ...state, deliveredAt: latest(state.deliveredAt, at) }
    case 'bounced':
      return {
        ...state,
        bouncedAt: latest(state.bouncedAt, at),
        ...(event.bounce.asynchronous && { bouncedLater: true }),
      }
    case 'opened':
    case 'clicked':
      // Nobody may know whether it was a machine: then it counts as a person's.
      return withEngagement(state, event.type, at, event.machine === true)
    case 'complained':
    case 'unsubscribed':
      return withEngagement(state, event.type, at, false)
    case 'subscribed':
    case 'suppression':
    case 'inbound':
    case 'unknown':
      return state
  }
}

/** The state after the provider's answer to the send call. */
export function withSendStatus(state: RecipientState, status: SendStatus): RecipientState {
  return status === 'unknown' ? state : withStep(state, status)
}

/** The delivery status that a state amounts to. */
export function recipientStatus(state: RecipientState): RecipientStatus {
  const { deliveredAt, bouncedAt } = state
  if (bouncedAt !== undefined) {
    // A refusal that was overcome by a later attempt is history; any other refusal stands.
    const overcome = deliveredAt !== undefined && deliveredAt > bouncedAt && !state.bouncedLater
    return overcome ? 'delivered' : 'bounced'
  }
  return deliveredAt === undefined ? state.step : 'delivered'
}

/** The engagement that a state amounts to. */
export function recipientEngagement(state: RecipientState): { [K in EngagementKind]?: Engagement } {
  const engagement: { [K in EngagementKind]?: Engagement } = {}
  for (const kind of ['opened', 'clicked', 'complained', 'unsubscribed'] as const) {
    const seen = state.engagement[kind]
    if (seen !== undefined) {
      engagement[kind] = {
        ...inDates(seen),
        ...(seen.withoutMachines && { withoutMachines: inDates(seen.withoutMachines) }),
      }
    }
  }
  return engagement
}

function inDates({ count, first, last }: Tally): { count: number; first: Date; last: Date } {
  return { count, first: new Date(first), last: new Date(last) }
}

// What needs a look comes first, then what is least far: 'delivered' means every recipient.
const rollUpOrder: readonly RecipientStatus[] = [
  'failed',
  'rejected',
  'bounced',
  'deferred',
  'pending',
  'accepted',
  'delivered',
]

/** One word for a message of several recipients: the worst of theirs. */
export function messageStatus(
  outcome: SendOutcome,
  recipients: readonly RecipientStatus[],
): MessageStatus {
  if (recipients.length === 0 && outcome === 'failed') return 'failed'
  const worst = rollUpOrder.find((status) => recipients.includes(status)) ?? 'pending'
  return outcome === 'unknown' && recipients.every((status) => status === 'pending')
    ? 'unknown'
    : worst
}

function withStep(state: RecipientState, step: Step): RecipientState {
  return stepRank[step] > stepRank[state.step] ? { ...state, step } : state
}

function withEngagement(
  state: RecipientState,
  kind: EngagementKind,
  at: number,
  machine: boolean,
): RecipientState {
  const seen = state.engagement[kind]
  const people = machine ? seen?.withoutMachines : counted(seen?.withoutMachines, at)
  const next: EngagementState = {
    ...counted(seen, at),
    ...(people && { withoutMachines: people }),
  }
  return { ...state, engagement: { ...state.engagement, [kind]: next } }
}

function counted(tally: Tally | undefined, at: number): Tally {
  return {
    count: (tally?.count ?? 0) + 1,
    first: Math.min(tally?.first ?? at, at),
    last: latest(tally?.last, at),
  }
}

function latest(known: number | undefined, at: number): number {
  return known === undefined ? at : Math.max(known, at)
}
