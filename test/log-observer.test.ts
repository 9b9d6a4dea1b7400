import { describe, expect, jest, test } from '@jest/globals'
import { Console } from 'node:console'
import { PassThrough, Writable } from 'node:stream'
import pino from 'pino'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import winston from 'winston'
import {
  ConfigurationError,
  createCorrelator,
  type Fact,
  forgeryLimit,
  type Logger,
  logTo,
  memoryStore,
} from '../src/index.js'
import { play, secrets } from './observers/play.js'
import { outsideWebhook } from './outside-provider.js'

/** A line, however it was written. */
interface Written {
  level: string
  message: string
  [field: string]: unknown
}

interface Logging {
  logger: Logger
  written(): string
  read(text: string): Written[]
}

const jsonLines = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line): Record<string, unknown> => JSON.parse(line))

/** A sink for text. */
function sink(): { stream: Writable; written(): string } {
  const chunks: Buffer[] = []
  const stream = new PassThrough()
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  return { stream, written: () => Buffer.concat(chunks).toString() }
}

function withPino(child = false): Logging {
  const { stream, written } = sink()
  const parent = pino({ level: 'debug', base: null }, stream)
  return {
    logger: child ? parent.child({ component: 'mail' }) : parent,
    written,
    read: (text) =>
      jsonLines(text).map(({ level, msg, time: _time, component: _component, ...fields }) => ({
        ...fields,
        level: pino.levels.labels[Number(level)] ?? '',
        message: String(msg),
      })),
  }
}

function withWinston(child = false): Logging {
  const { stream, written } = sink()
  const parent = winston.createLogger({
    level: 'debug',
    format: winston.format.json(),
    transports: [new winston.transports.Stream({ stream })],
  })
  return {
    logger: child ? parent.child({ component: 'mail' }) : parent,
    written,
    read: (text) =>
      jsonLines(text).map(({ component: _component, ...fields }) => fields as Written),
  }
}

/** Node's console, whose two streams say the level as far as it has any. */
function withConsole(): Logging {
  const out = sink()
  const err = sink()
  const console = new Console(out.stream, err.stream)
  const mark = (level: string) => (line: object) => {
    out.stream.write(`${level} `)
    console.info(line)
  }
  // What is called on it is what it is: only the level is written beside it.
  const logger = Object.assign(Object.create(console), {
    debug: mark('debug'),
    info: mark('info'),
    warn: mark('warn'),
    error: mark('error'),
  })
  return {
    logger,
    written: out.written,
    read: (text) =>
      text
        .trim()
        .split('\n')
        .map((line) => {
          const [, level = '', message = '', pairs = ''] =
            /^(\w+) mailtrail: ([a-z, ]*?)((?: \w+=(?:"[^"]*"|\S+))*)$/.exec(line) ?? []
          const fields = [...pairs.matchAll(/(\w+)=("[^"]*"|\S+)/g)].map(([, name, value = '']) => [
            name,
            JSON.parse(value),
          ])
          return { level, message, ...Object.fromEntries(fields) }
        }),
  }
}

const isStored = ({ message }: Written): boolean => message === 'events were stored'

describe.each<[string, () => Logging]>([
  ['pino', withPino],
  ['a child of pino', () => withPino(true)],
  ['winston', withWinston],
  ['a child of winston', () => withWinston(true)],
  ['console', withConsole],
])('%s', (_, make) => {
  test('writes what has happened, each thing once, and none of what is to stay inside', async () => {
    const { logger, written, read } = make()
    await play({ logger })
    const lines = read(written())
    const [stored, others] = [lines.filter(isStored), lines.filter((line) => !isStored(line))]
    expect(stored).toHaveLength(8)
    expect(stored.map(({ level, webhook }) => [level, webhook])).toEqual(
      stored.map(() => ['debug', 'sendgrid']),
    )
    const sum = (field: string) => stored.reduce((total, line) => total + Number(line[field]), 0)
    expect([sum('stored'), sum('duplicates')]).toEqual([6, 2])
    const id = expect.stringMatching(/^[0-9a-f-]{36}$/)
    const duration = expect.any(Number)
    const message = { provider: 'sendgrid', trackingId: id }
    const expected = [
      { level: 'debug', message: 'a message was sent', ...message, duration },
      { level: 'debug', message: 'a message was sent', ...message, duration },
      {
        level: 'error',
        message: 'a message was not sent',
        ...message,
        duration,
        category: 'auth',
        code: 'EAUTH',
        retryable: false,
        statusCode: 401,
      },
      {
        level: 'warn',
        message: 'a listener failed, and is called again',
        ...message,
        listener: 'orders',
        eventId: id,
        type: 'delivered',
        attempt: 1,
        cause: 'ECONNREFUSED',
      },
      {
        level: 'warn',
        message: 'a webhook request was refused',
        webhook: 'sendgrid',
        provider: 'sendgrid',
        reason: 'bad-signature',
      },
      {
        level: 'error',
        message: 'the store failed',
        doing: 'storing a webhook',
        cause: '57P01',
      },
    ]
    expect(others).toHaveLength(expected.length)
    for (const line of expected) expect(others).toContainEqual(line)
    for (const secret of Object.values(secrets)) expect(written()).not.toContain(secret)
  })
})

/** What is written of a fact: its level and message. */
function writtenOf(fact: Fact): [string, string][] {
  const written: [string, string][] = []
  const at = (level: string) => (line: object) =>
    void written.push([level, String(Reflect.get(line, 'message'))])
  const logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
  logTo(logger).notice?.(fact)
  return written
}

describe('the line of', () => {
  const passedOn: { provider: string; category: string }[] = []
  const send = { kind: 'send' as const, trackingId: 'x', provider: 'y', passedOn, duration: 1 }
  const failure = { code: 'ESERVER', retryable: true } as const
  const webhook = { kind: 'webhook', webhook: 'y', provider: 'y', duration: 1 } as const
  const alarm = { kind: 'alarm', alarm: 'silence', provider: 'y' } as const
  const listener = {
    kind: 'listener',
    eventId: 'x',
    type: 'opened',
    provider: 'y',
    attempt: 1,
    duration: 1,
  } as const

  test.each<[string, Fact, [string, string][]]>([
    [
      'a message that went on to another provider',
      { ...send, outcome: 'sent', passedOn: [{ provider: 'z', category: 'server' }] },
      [['warn', 'a message was sent with another provider']],
    ],
    [
      'one that no provider took',
      { ...send, outcome: 'failed', failure: { ...failure, category: 'server' } },
      [['error', 'a message was not sent']],
    ],
    [
      'one that is wrong',
      { ...send, outcome: 'failed', failure: { ...failure, category: 'validation' } },
      [['warn', 'a message was refused']],
    ],
    [
      'one whose recipients were refused',
      { ...send, outcome: 'failed', failure: { ...failure, category: 'rejected' } },
      [['warn', 'a message was refused']],
    ],
    [
      'one that nobody answered for',
      { ...send, outcome: 'unknown', failure: { ...failure, category: 'timeout' } },
      [['error', 'a message may have been sent']],
    ],
    [
      'a request that was refused for a fault of its own',
      { ...webhook, outcome: 'refused', reason: 'rate-limited' },
      [['warn', 'a webhook request was refused']],
    ],
    [
      'a request that was as it should be',
      { ...webhook, outcome: 'refused', reason: 'consumed' },
      [['error', 'a webhook request could not be read']],
    ],
    ['a request that was taken, whose events have a line', { ...webhook, outcome: 'stored' }, []],
    ['a listener that took an event', { ...listener, outcome: 'taken' }, []],
    [
      'a listener that is called no more',
      { ...listener, outcome: 'given-up' },
      [['error', 'a listener failed, and is not called again']],
    ],
    [
      'a dead letter',
      { kind: 'dead-letter', eventId: 'x' },
      [['error', 'an event became a dead letter']],
    ],
    [
      'the queue',
      { kind: 'failure', of: 'queue', doing: 'adding events' },
      [['error', 'the queue failed']],
    ],
    ['an alarm', { ...alarm, state: 'raised' }, [['error', 'an alarm was raised']]],
    ['an alarm that is over', { ...alarm, state: 'over' }, [['info', 'an alarm is over']]],
  ])('%s', (_, fact, expected) => {
    expect(writtenOf(fact)).toEqual(expected)
  })
})

test('each request that is refused is a line, however many there are and whatever holds them back', async () => {
  const lines: object[] = []
  const write = (line: object) => void lines.push({ ...line })
  const correlator = createCorrelator({
    store: memoryStore(),
    webhooks: [
      outsideWebhook({
        guards: [forgeryLimit(new RateLimiterMemory({ points: 2, duration: 60 }))],
      }),
    ],
    logger: { info: write, warn: write, error: write },
  })
  correlator.on('refused', () => {})
  for (let count = 0; count < 4; count += 1) {
    await correlator.handler(
      new Request('https://example.com/outside', { method: 'POST', body: '[]' }),
      { remoteAddress: '192.0.2.1' },
    )
  }
  await correlator.close()
  expect(lines.map((line) => Reflect.get(line, 'reason'))).toEqual([
    'bad-signature',
    'bad-signature',
    'rate-limited',
    'rate-limited',
  ])
})

test('the first failure of each kind is a process warning all the same, with the whole text', async () => {
  const emitWarning = jest.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const write = () => {}
  const open = () => Promise.reject(new Error('no space is left on the disk'))
  const correlator = createCorrelator({
    store: { ...memoryStore(), open },
    logger: { info: write, warn: write, error: write },
  })
  await new Promise((resolve) => setImmediate(resolve))
  const warnings = emitWarning.mock.calls.map(([warning]) => String(warning))
  emitWarning.mockRestore()
  await correlator.close()
  expect(warnings).toEqual([expect.stringContaining('no space is left on the disk')])
})

test('the real console shows text', () => {
  const { stream, written } = sink()
  logTo(new Console(stream)).notice?.({ kind: 'failure', of: 'queue', doing: 'adding events' })
  expect(written()).toBe('mailtrail: the queue failed doing="adding events"\n')
})

describe('a logger', () => {
  test.each<[string, unknown]>([
    ['that is missing', null],
    ['without error', { info() {}, warn() {} }],
    ['that is a function', () => {}],
  ])('%s is refused', (_, logger) => {
    expect(() => logTo(logger as Logger)).toThrow(ConfigurationError)
  })

  test('needs no debug', () => {
    const lines: object[] = []
    const write = (line: object) => void lines.push(line)
    const { notice } = logTo({ info: write, warn: write, error: write })
    notice?.({
      kind: 'send',
      trackingId: 'x',
      provider: 'y',
      outcome: 'sent',
      passedOn: [],
      duration: 1,
    })
    expect(lines).toEqual([])
  })
})
