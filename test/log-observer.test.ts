import { describe, expect, test } from '@jest/globals'
import { Console } from 'node:console'
import { PassThrough, Writable } from 'node:stream'
import pino from 'pino'
import winston from 'winston'
import { ConfigurationError, type Logger, logTo } from '../src/index.js'
import { play, secrets } from './observers/play.js'

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
