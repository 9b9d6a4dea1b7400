import { inspect } from 'node:util'
import { ConfigurationError } from './errors.js'
import type { Fact, Observer, SendFact } from './observer.js'
import { isOurFault } from './webhook-answers.js'

/** Where lines are written: pino, winston, `console`, or whatever has these methods. */
export interface Logger {
  /** For what is of use only while something is looked for; left out where it is missing. */
  debug?(line: object): void
  /** For what went as it should. */
  info(line: object): void
  /** For what may go well the next time. */
  warn(line: object): void
  /** For what somebody has to look at. */
  error(line: object): void
}

type Level = keyof Logger

/** What stands in a line beside its message. */
type Fields = Record<string, string | number | boolean | undefined>

/**
 * Writes a line of whatever happens. Each is one object with a `message`, which winston takes as its own form;
 * pino is known by its symbol, and gets the message where it keeps it; `console` shows it as text.
 *
 * ```ts
 * const transport = sendgridTransport({ observers: [logTo(console)] })
 * ```
 *
 * @throws ConfigurationError when it is no logger
 */
export function logTo(logger: Logger): Observer {
  const write = writerFor(logger)
  return {
    notice(fact) {
      const found = lineOf(fact)
      if (!found) return
      const [line, fields] = found
      const { level, message } = lines[line]
      write(level, message, fields)
    },
  }
}

/** What can be written. */
export const lines = {
  sent: { level: 'debug', message: 'a message was sent' },
  sentWithAnother: { level: 'warn', message: 'a message was sent with another provider' },
  unsent: { level: 'error', message: 'a message was not sent' },
  // That says something of this message, and nothing of the others.
  unsendable: { level: 'warn', message: 'a message was refused' },
  unknown: { level: 'error', message: 'a message may have been sent' },
  refused: { level: 'warn', message: 'a webhook request was refused' },
  unreadable: { level: 'error', message: 'a webhook request could not be read' },
  stored: { level: 'debug', message: 'events were stored' },
  listenerFailed: { level: 'warn', message: 'a listener failed, and is called again' },
  givenUp: { level: 'error', message: 'a listener failed, and is not called again' },
  deadLetter: { level: 'error', message: 'an event became a dead letter' },
  storeFailed: { level: 'error', message: 'the store failed' },
  queueFailed: { level: 'error', message: 'the queue failed' },
  alarmRaised: { level: 'error', message: 'an alarm was raised' },
  alarmOver: { level: 'info', message: 'an alarm is over' },
} as const satisfies Record<string, { level: Level; message: string }>

/** What is written of a fact, if anything: each failure once, where most is known of it. */
function lineOf(fact: Fact): [keyof typeof lines, Fields] | undefined {
  switch (fact.kind) {
    case 'send':
      return [sendLine(fact), sendFields(fact)]
    case 'webhook': {
      const { webhook, provider, outcome, reason } = fact
      if (outcome !== 'refused') return undefined
      const isOurs = reason !== undefined && isOurFault(reason)
      return [isOurs ? 'unreadable' : 'refused', { webhook, provider, reason }]
    }
    case 'verify':
      return undefined
    case 'ingest': {
      const { webhook, provider, outcome, events, duplicates, duration } = fact
      if (outcome !== 'stored') return undefined
      const stored = Object.values(events).reduce((sum, count) => sum + count, 0)
      return ['stored', { webhook, provider, stored, duplicates, duration: Math.round(duration) }]
    }
    case 'listener': {
      const { listener, eventId, type, provider, trackingId, attempt, outcome, cause } = fact
      if (outcome === 'taken') return undefined
      const fields = { listener, eventId, type, provider, trackingId, attempt, cause }
      return [outcome === 'failed' ? 'listenerFailed' : 'givenUp', fields]
    }
    case 'dead-letter':
      return ['deadLetter', { eventId: fact.eventId }]
    case 'failure': {
      const { of, doing, cause } = fact
      return [of === 'store' ? 'storeFailed' : 'queueFailed', { doing, cause }]
    }
    case 'alarm': {
      const { alarm, state, provider, trackingId } = fact
      return [state === 'raised' ? 'alarmRaised' : 'alarmOver', { alarm, provider, trackingId }]
    }
  }
}

function sendLine({ outcome, failure, passedOn }: SendFact): keyof typeof lines {
  if (outcome === 'unknown') return 'unknown'
  if (!failure) return passedOn.length > 0 ? 'sentWithAnother' : 'sent'
  return failure.category === 'validation' || failure.category === 'rejected'
    ? 'unsendable'
    : 'unsent'
}

function sendFields({ trackingId, provider, failure, passedOn, duration }: SendFact): Fields {
  const tried = passedOn.map((before) => `${before.provider}: ${before.category}`)
  return {
    trackingId,
    provider,
    ...failure,
    triedBefore: tried.length > 0 ? tried.join(', ') : undefined,
    duration: Math.round(duration),
  }
}

/** Under which pino keeps its serializers on each of its loggers, and lets others look for them. */
const pinoSerializers = Symbol.for('pino.serializers')

function writerFor(logger: Logger): (level: Level, message: string, fields: Fields) => void {
  for (const level of ['info', 'warn', 'error'] as const) {
    if (typeof logger?.[level] === 'function') continue
    throw new ConfigurationError(
      `logger has no method ${level}: it takes pino(), a winston logger, console, or whatever has info, warn and error`,
    )
  }
  // It would keep a message that stands in the object apart from its own.
  if (pinoSerializers in logger) {
    return (level, message, fields) =>
      void Reflect.apply(logger[level] ?? nothing, logger, [fields, message])
  }
  return (level, message, fields) => logger[level]?.(new Line(message, fields))
}

const nothing = (): void => {}

/** An object to all who write objects, and a text to those who show them, as `console` does. */
class Line {
  constructor(
    readonly message: string,
    fields: Fields,
  ) {
    for (const [name, value] of Object.entries(fields)) {
      if (value !== undefined) Reflect.set(this, name, value)
    }
  }

  [inspect.custom](): string {
    const { message, ...fields } = this
    const pairs = Object.entries(fields).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    return ['mailtrail:', message, ...pairs].join(' ')
  }
}
