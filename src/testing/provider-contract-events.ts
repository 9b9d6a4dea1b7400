import { equal, ok } from 'node:assert/strict'
import { isFields } from '../payload.js'
import { type SimulatedEvent, simulatedEventTypes, type SimulatedEventType } from '../simulator.js'
import { like, same } from './comparing.js'
import {
  ann,
  bob,
  eachOf,
  known,
  type OpenedProvider,
  type ProviderChecks,
  type ProviderUnderTest,
  send,
  type Sent,
  tell,
  toldOnce,
  type UntoldEvent,
} from './provider-steps.js'

const labels = { tags: ['order'], metadata: { order: '42', shop: 'north' } }

/** Two minutes ago; providers tell whole seconds. */
const recently = (): Date => new Date(Math.floor(Date.now() / 1000) * 1000 - 120_000)

async function eventComesOut(opened: OpenedProvider, type: SimulatedEventType): Promise<void> {
  const at = recently()
  const sent = await send(opened, { cc: bob, ...labels })
  await tell(opened, sent.message, { type, recipient: bob, at, url: clicked })
  const event = toldOnce(opened, type)
  like(event, {
    provider: opened.subject.provider,
    recipient: bob,
    occurredAt: at,
    trackingId: sent.info.trackingId,
    correlation: { status: 'matched', via: 'own-id' },
  })
  ok(event.providerEvent !== '', 'providerEvent is empty: it is the name that the provider gives')
  ok(isFields(event.raw), 'raw is not the entry as it came')
  if (isLabelled(sent, type)) {
    like(event, labels)
    equal(Object.values(event.metadata).length, 2, 'our own id is still among the metadata')
  }
  await becomes(opened, sent, type)
}

const clicked = 'https://example.com/orders/42'

/** An event without labels is worth less, and is no fault: some providers leave them out of some. */
function isLabelled({ message }: Sent, type: SimulatedEventType): boolean {
  return message.tags.length > 0 && ['delivered', 'bounced'].includes(type)
}

/** What an event makes of its recipient, and of nobody else. */
async function becomes(
  opened: OpenedProvider,
  sent: Sent,
  type: SimulatedEventType,
): Promise<void> {
  const { recipients } = await known(opened, sent)
  const other = recipients.find(({ address }) => address === ann)
  const about = recipients.find(({ address }) => address === bob)
  ok(other && about, 'the recipients of the message are not recorded')
  same(other.engagement, {}, 'the event is taken for one of another recipient')
  switch (type) {
    case 'opened':
    case 'clicked':
    case 'complained':
    case 'unsubscribed':
      equal(about.engagement[type]?.count, 1)
      break
    case 'accepted':
    case 'deferred':
    case 'delivered':
    case 'bounced':
    case 'rejected':
      equal(about.status, type)
  }
}

async function deferralIsTold(opened: OpenedProvider): Promise<void> {
  const { message } = await send(opened)
  await tell(opened, message, { type: 'deferred', recipient: ann })
  const { response } = toldOnce(opened, 'deferred')
  ok(response, 'response is missing: it is what the server of the recipient said')
}

async function bounceIsOf(opened: OpenedProvider, kind: 'hard' | 'soft'): Promise<void> {
  const { message } = await send(opened)
  await tell(opened, message, { type: 'bounced', recipient: ann, bounce: kind })
  const { bounce, response } = toldOnce(opened, 'bounced')
  same([bounce.kind, bounce.asynchronous], [kind, false])
  ok(response, 'response is missing: it is why it bounced')
}

async function laterBounce(opened: OpenedProvider): Promise<void> {
  const sent = await send(opened)
  await tell(opened, sent.message, { type: 'delivered', recipient: ann })
  const later: SimulatedEvent = { type: 'bounced', recipient: ann, bounce: 'later' }
  await tell(opened, sent.message, later)
  const { bounce, trackingId } = toldOnce(opened, 'bounced')
  same([bounce.asynchronous, trackingId], [true, sent.info.trackingId])
  equal((await known(opened, sent)).status, 'bounced')
}

async function urlIsTold(opened: OpenedProvider): Promise<void> {
  const { message } = await send(opened)
  await tell(opened, message, { type: 'clicked', recipient: ann, url: clicked })
  equal(toldOnce(opened, 'clicked').url, clicked)
}

async function scopeIsTold(opened: OpenedProvider): Promise<void> {
  const { message } = await send(opened)
  await tell(opened, message, { type: 'unsubscribed', recipient: ann })
  const { scope } = toldOnce(opened, 'unsubscribed')
  ok(['all', 'group', 'list'].includes(scope.kind), 'scope says not what was unsubscribed from')
}

async function reasonIsTold(opened: OpenedProvider): Promise<void> {
  const { message } = await send(opened)
  await tell(opened, message, { type: 'rejected', recipient: ann })
  const { reason } = toldOnce(opened, 'rejected')
  ok(reasons.has(reason), `no reason is called ${String(reason)}`)
}

const reasons = new Set<string>([
  'invalid',
  'bounced',
  'spam',
  'unsubscribed',
  'blocked',
  'timed-out',
  'other',
])

/** More of some events than that they come out. */
const details: { told: UntoldEvent[]; checks: ProviderChecks }[] = [
  { told: ['deferred'], checks: { 'a deferral says what the server said': deferralIsTold } },
  { told: ['bounced'], checks: { 'a hard bounce is one': (opened) => bounceIsOf(opened, 'hard') } },
  {
    told: ['bounced', 'soft bounce'],
    checks: { 'a soft bounce is one': (opened) => bounceIsOf(opened, 'soft') },
  },
  {
    told: ['bounced', 'later bounce'],
    checks: {
      'a bounce that comes after delivery is asynchronous, and is the last word': laterBounce,
    },
  },
  { told: ['clicked'], checks: { 'a click says on what': urlIsTold } },
  { told: ['unsubscribed'], checks: { 'who unsubscribes says from what': scopeIsTold } },
  { told: ['rejected'], checks: { 'a rejection says why, in our words': reasonIsTold } },
]

/** How what the provider tells comes out. */
export function eventChecks({ untold = [] }: ProviderUnderTest): ProviderChecks {
  const isTold = (type: UntoldEvent): boolean => !untold.includes(type)
  return Object.assign(
    eachOf(
      simulatedEventTypes.filter(isTold),
      (type) => `an event ${type} comes out right`,
      eventComesOut,
    ),
    ...details.filter(({ told }) => told.every(isTold)).map(({ checks }) => checks),
  )
}
