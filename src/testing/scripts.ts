import {
  type SimulatedEvent,
  simulatedEventTypes,
  type SimulatedEventType,
  type SimulatedMessage,
} from '../simulator.js'
import type { Script, ScriptedPost } from './provider-server.js'

/** An event that happens to every recipient: its type, or more of it. */
export type ScriptedEvent = SimulatedEventType | Omit<SimulatedEvent, 'recipient'>

/**
 * These events, one webhook after the other, and each to all recipients.
 *
 * @example `happens('accepted', 'delivered', { type: 'bounced', bounce: 'later' })`
 *
 * @throws TypeError for an event that providers do not tell, for runners of tests look at no types
 */
export function happens(...events: readonly ScriptedEvent[]): Script {
  for (const event of events) checkType(typeof event === 'string' ? event : event.type)
  return ({ recipients }) =>
    events.map((event) => ({
      events: recipients.map(({ address }) => ({
        ...(typeof event === 'string' ? { type: event } : event),
        recipient: address,
      })),
    }))
}

function checkType(type: string): void {
  if (simulatedEventTypes.some((known) => known === type)) return
  throw new TypeError(
    `happens: there is no ${JSON.stringify(type)}: there are ${simulatedEventTypes.join(', ')}`,
  )
}

/** What becomes of each recipient by itself, by the address. */
export function byRecipient(scriptOf: (address: string) => Script): Script {
  return (message) =>
    message.recipients.flatMap((recipient) =>
      scriptOf(recipient.address)({ ...message, recipients: [recipient] }),
    )
}

/** One script after the other. */
export function inTurn(...scripts: readonly Script[]): Script {
  return (message) => scripts.flatMap((script) => script(message))
}

/** Each webhook comes this long after the one before, in ms, and the first so long after the answer. */
export function delayed(milliseconds: number, script: Script): Script {
  return each(script, (post, index) => ({
    ...post,
    after: (post.after ?? 0) + milliseconds * (index + 1),
  }))
}

/** All of it is told before the API has answered. */
export function early(script: Script): Script {
  return each(script, (post) => ({ ...post, early: true }))
}

/** Each webhook comes several times, to the byte. */
export function duplicated(script: Script, times = 2): Script {
  return each(script, (post) => ({ ...post, times }))
}

/** What happened last is told first: a second lies between one webhook and the next. */
export function inDisorder(script: Script): Script {
  return (message) =>
    script(message)
      .map((post, index, { length }) => ({ ...post, ago: (length - index) * 1000 }))
      .toReversed()
}

/** The same facts come again, in one batch, and then each by itself. */
export function recut(script: Script): Script {
  return again(script, (events) => {
    const repeated = events.map((event): SimulatedEvent => ({ ...event, repeats: { event } }))
    return [repeated, ...repeated.map((event) => [event])]
  })
}

/** The same facts come again, under other ids of the provider. */
export function underOtherIds(script: Script): Script {
  return again(script, (events) => [
    events.map((event) => ({ ...event, repeats: { event, underOtherId: true } })),
  ])
}

/** Amid the events of each webhook stands an entry that cannot be read. */
export function poisoned(script: Script): Script {
  return each(script, (post) => ({ ...post, events: withPoison(post.events) }))
}

/** Each webhook is signed with another key, as by somebody else. */
export function forged(script: Script): Script {
  return each(script, (post) => ({ ...post, forged: true }))
}

function each(script: Script, change: (post: ScriptedPost, index: number) => ScriptedPost): Script {
  return (message) => script(message).map(change)
}

/** What was told comes again, in these batches. */
function again(
  script: Script,
  batches: (events: readonly SimulatedEvent[]) => SimulatedEvent[][],
): Script {
  return (message: SimulatedMessage) => {
    const posts = script(message)
    const latest = Math.max(0, ...posts.map(({ after = 0 }) => after))
    const events = posts.flatMap((post) => post.events)
    return [...posts, ...batches(events).map((batch) => ({ events: batch, after: latest }))]
  }
}

function withPoison(events: readonly SimulatedEvent[]): SimulatedEvent[] {
  const [first, ...others] = events
  if (!first) return []
  return [first, { ...first, change: () => ({ unreadable: true }) }, ...others]
}
