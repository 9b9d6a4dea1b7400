import { afterEach, describe, expect, jest, test } from '@jest/globals'
import nodemailer from 'nodemailer'
import {
  type Alarm,
  type AlarmOptions,
  ConfigurationError,
  type Correlator,
  createCorrelator,
  memoryStore,
  SendError,
} from '../src/index.js'
import { outsideClient, outsideTransport } from './outside-transport.js'

afterEach(() => void jest.useRealTimers())

/** A correlator, and a function that sends so many messages of which so many fail. */
function sending(alarms: AlarmOptions = {}) {
  const correlator = createCorrelator({ store: memoryStore(), alarms })
  const client = outsideClient()
  const { send } = client
  let failures = 0
  let outcome: SendError['outcome'] = 'not-sent'
  client.send = async (request) => {
    if (failures === 0) return send(request)
    failures -= 1
    throw new SendError('it is down', { category: 'server', retryable: false, outcome })
  }
  const transport = outsideTransport(client, { correlator, retries: 0 })
  const transporter = nodemailer.createTransport(transport)
  const mail = { from: 'shop@example.com', to: 'ann@example.org', subject: 'Hello', text: 'Hi' }
  async function sendAll(count: number, failing: number, tags: string[] = []): Promise<void> {
    failures = failing
    for (let sent = 0; sent < count; sent += 1) {
      await transporter.sendMail({ ...mail, tags }).catch(() => {})
    }
  }
  /** Has those that fail leave it open whether they were taken. */
  const leaveOpen = (): void => void (outcome = 'unknown')
  return { correlator, sendAll, leaveOpen }
}

/** What listeners of alarms are told from now on. */
function watched(correlator: Correlator): Alarm[] {
  const alarms: Alarm[] = []
  correlator.on('alarm', (alarm) => alarms.push(alarm))
  return alarms
}

describe('listeners of alarms', () => {
  test('are told of a critical message at once', async () => {
    const { correlator, sendAll } = sending()
    const alarms = watched(correlator)
    await sendAll(2, 1, ['password-reset'])
    expect(alarms).toMatchObject([
      {
        kind: 'critical-message',
        tags: ['password-reset'],
        message: { subject: 'Hello', failFlag: true },
      },
    ])
    await correlator.close()
  })

  test('are told when too many messages fail, and when that is over', async () => {
    jest.useFakeTimers({
      now: Date.now(),
      doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'],
    })
    const { correlator, sendAll } = sending({ failureRate: { minimum: 4 }, every: 1000 })
    const alarms = watched(correlator)
    await sendAll(4, 2)
    await jest.advanceTimersByTimeAsync(3000)
    await sendAll(40, 0)
    await jest.advanceTimersByTimeAsync(3000)
    expect(alarms).toMatchObject([
      { kind: 'failure-rate', state: 'raised', failed: 2, messages: 4, rate: 0.5 },
      { kind: 'failure-rate', state: 'over', failed: 2, messages: 44 },
    ])
    await correlator.close()
  })

  test.each<[string, number, (started: ReturnType<typeof sending>) => unknown, object[]]>([
    [
      'whose recipients are all suppressed was not sent',
      0,
      ({ correlator }) => correlator.suppressions.add('ann@example.org'),
      [{ kind: 'critical-message' }, { kind: 'failure-rate', failed: 1, messages: 1 }],
    ],
    [
      'that may have been sent is critical, and counts for no rate',
      1,
      ({ leaveOpen }) => leaveOpen(),
      [{ kind: 'critical-message', message: { error: { outcome: 'unknown' } } }],
    ],
  ])('are told that a message %s', async (_, failing, change, expected) => {
    jest.useFakeTimers({
      now: Date.now(),
      doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'],
    })
    const started = sending({ failureRate: { minimum: 1 }, every: 1000 })
    await change(started)
    const alarms = watched(started.correlator)
    await started.sendAll(1, failing, ['critical'])
    await jest.advanceTimersByTimeAsync(3000)
    expect(alarms).toMatchObject(expected)
    expect(alarms).toHaveLength(expected.length)
    await started.correlator.close()
  })

  test('are told no more once they are taken away, or the correlator is closed', async () => {
    const { correlator, sendAll } = sending()
    const alarms: Alarm[] = []
    const listener = (alarm: Alarm): void => void alarms.push(alarm)
    const stop = correlator.on('alarm', listener)
    stop()
    correlator.on('alarm', listener)
    correlator.off('alarm', listener)
    await sendAll(1, 1, ['critical'])
    correlator.on('alarm', listener)
    await sendAll(1, 1, ['critical'])
    expect(alarms).toHaveLength(1)
    await correlator.close()
    await sendAll(1, 1, ['critical'])
    expect(alarms).toHaveLength(1)
  })

  test('do not harm each other, nor what is sent', async () => {
    const { correlator, sendAll } = sending()
    const warning = jest.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const alarms: Alarm[] = []
    correlator.on('alarm', () => {
      throw new Error('no')
    })
    correlator.on('alarm', (alarm) => alarms.push(alarm))
    await sendAll(1, 1, ['critical'])
    expect(alarms).toHaveLength(1)
    expect(warning.mock.calls.map(([message]) => String(message))).toEqual([
      expect.stringContaining('a listener of alarms failed: no'),
    ])
    warning.mockRestore()
    await correlator.close()
  })
})

test('alarms that are set up wrongly are told at the start', () => {
  expect(() =>
    createCorrelator({ store: memoryStore(), alarms: { failureRate: { above: 2 } } }),
  ).toThrow(ConfigurationError)
})
