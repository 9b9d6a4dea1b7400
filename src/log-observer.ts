import { inspect } from 'node:util'
import { ConfigurationError, type RefusalReason } from './errors.js'
import type { Fact, Observer } from './observer.js'

/** Where lines are written: pino, winston, `console`, or whatever has these methods. */
export interface Logger {
  debug?(line: object): void
  info(line: object): void
  warn(line: object): void
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
      const line = lineOf(fact)
      if (line) write(...line)
    },
  }
}

/** What is written of a fact, if anything: each failure once, where most is known of it. */
function lineOf(fact: Fact): [Level, string, Fields] | undefined {
  switch (fact.kind) {
    case 'send': {
      const { trackingId, provider, failure, passedOn, duration } = fact
      const before = passedOn.map((tried) => `${tried.provider}: ${tried.category}`).join(', ')
      const triedBefore = before === '' ? undefined : before
      const took = { duration: Math.round(duration) }
      const fields = { trackingId, provider, ...failure, triedBefore, ...took }
      if (!failure && triedBefore !== undefined) {
        return ['warn', 'a message was sent with another provider', fields]
      }
      if (!failure) return ['debug', 'a message was sent', fields]
      const level = isOfMessage.has(failure.category) ? 'warn' : 'error'
      return fact.outcome === 'unknown'
        ? ['error', 'whether a message was sent is not known', fields]
        : [level, 'a message was not sent', fields]
    }
    case 'webhook': {
      const { webhook, provider, outcome, reason } = fact
      if (outcome !== 'refused') return undefined
      const level = reason !== undefined && isOurs.has(reason) ? 'error' : 'warn'
      return [level, 'a webhook request was refused', { webhook, provider, reason }]
    }
    case 'verify':
      return undefined
    case 'ingest': {
      const { webhook, provider, outcome, events, duplicates, duration } = fact
      if (outcome !== 'stored') return undefined
      const stored = Object.values(events).reduce((sum, count) => sum + count, 0)
      const fields = { webhook, provider, stored, duplicates, duration: Math.round(duration) }
      return ['debug', 'events were stored', fields]
    }
    case 'listener': {
      const { listener, eventId, type, provider, trackingId, attempt, outcome, cause } = fact
      if (outcome === 'taken') return undefined
      const fields = { listener, eventId, type, provider, trackingId, attempt, cause }
      return outcome === 'failed'
        ? ['warn', 'a listener failed, and is called again', fields]
        : ['error', 'a listener failed, and is not called again', fields]
    }
    case 'dead-letter':
      return ['error', 'an event became a dead letter', { eventId: fact.eventId }]
    case 'failure': {
      const { of, doing, cause } = fact
      return ['error', `the ${of} failed`, { doing, cause }]
    }
    case 'alarm': {
      const { alarm, state, provider, trackingId } = fact
      const fields = { alarm, provider, trackingId }
      return state === 'raised'
        ? ['error', 'an alarm was raised', fields]
        : ['info', 'an alarm is over', fields]
    }
  }
}

/** Says something of one message, and nothing of the others. */
const isOfMessage: ReadonlySet<string> = new Set(['validation', 'rejected'])

/** Our own fault: the request was as it should be. */
const isOurs: ReadonlySet<RefusalReason> = new Set([
  'api-key',
  'no-keys',
  'consumed',
  'overloaded',
  'unexpected',
])

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
