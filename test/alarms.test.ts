import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { type Alarm, type AlarmParts, type Alarms, createAlarms } from '../src/alarms.js'
import type { StoreError } from '../src/errors.js'
import { memoryStore, type SentMessage, type Store } from '../src/index.js'
import { type MessageRecord, toSentMessage } from '../src/message.js'
import { batchOf, recordAt, resultOf, sampleProvider, start } from '../src/testing/store-samples.js'
import { add, answer, ingest } from '../src/testing/store-steps.js'

const minute = 60_000
const hour = 60 * minute

let time: number
let store: Store
let told: Alarm[]
let errors: StoreError[]
let warnings: string[]
const open: Alarms[] = []

beforeEach(() => {
  time = start + 12 * hour
  store = memoryStore()
  told = []
  errors = []
  warnings = []
  jest.spyOn(process, 'emitWarning').mockImplementation((text) => void warnings.push(String(text)))
})

afterEach(() => {
  for (const alarms of open.splice(0)) alarms.close()
  jest.useRealTimers()
  jest.restoreAllMocks()
})

function watch(parts: Partial<AlarmParts> = {}): Alarms {
  const alarms = createAlarms({
    store,
    tell: (alarm) => told.push(alarm),
    report: (error) => errors.push(error),
    now: () => time,
    ...parts,
  })
  open.push(alarms)
  return alarms
}

/** What was told since the last look, without the rest. */
function toldNow(): string[] {
  return told
    .splice(0)
    .map((alarm) =>
      alarm.kind === 'critical-message'
        ? `${alarm.kind} ${alarm.message.subject}`
        : `${alarm.kind} ${alarm.state} ${alarm.provider}`,
    )
}

/** Writes messages that their provider took, a while ago. */
async function sent(count: number, age = 0, provider = sampleProvider): Promise<MessageRecord[]> {
  const records: MessageRecord[] = []
  for (let index = 0; index < count; index += 1) {
    const record = { ...recordAt(time - age, 'ann@example.com'), provider }
    await add(store, record)
    await answer(store, record, resultOf(record, record.trackingId))
    records.push(record)
  }
  return records
}

/** Writes messages that failed just now. */
async function failed(count: number, provider = sampleProvider): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const record = { ...recordAt(time, 'ann@example.com'), provider }
    await add(store, record)
    const recipients = record.recipients.map((one) => ({ ...one, status: 'failed' as const }))
    await answer(store, record, { outcome: 'failed', recipients })
  }
}

const event = async (
  record: MessageRecord | undefined,
  type: 'accepted' | 'delivered' | 'deferred',
): Promise<void> => {
  if (!record) throw new Error('there is no such message')
  await ingest(store, batchOf({ type, ownId: record.trackingId }))
}

describe('too many failures', () => {
  test('are told once, and as over when half of what is allowed is left', async () => {
    const alarms = watch()
    await sent(17)
    await failed(2)
    await alarms.check()
    expect(toldNow()).toEqual([])
    await failed(1)
    const since = new Date(time)
    await alarms.check()
    await alarms.check()
    expect(told).toEqual([
      {
        kind: 'failure-rate',
        state: 'raised',
        provider: sampleProvider,
        since,
        failed: 3,
        messages: 20,
        rate: 0.15,
        window: hour,
      },
    ])
    told = []
    time += 5 * minute
    await sent(20)
    await alarms.check()
    expect(toldNow()).toEqual([])
    await sent(20)
    await alarms.check()
    await alarms.check()
    expect(told).toEqual([
      expect.objectContaining({ state: 'over', since, failed: 3, messages: 60, rate: 0.05 }),
    ])
  })

  test('are none where what was sent bounces', async () => {
    const bounce = { kind: 'hard', asynchronous: false } as const
    const alarms = watch()
    for (const { trackingId: ownId } of await sent(20)) {
      await ingest(store, batchOf({ type: 'bounced', bounce, ownId }))
    }
    await alarms.check()
    expect(toldNow()).toEqual([])
    await failed(3)
    await alarms.check()
    expect(toldNow()).toEqual(['failure-rate raised postmark'])
  })

  test('are over when they are longer ago than the window', async () => {
    const alarms = watch()
    await failed(20)
    await alarms.check()
    expect(toldNow()).toEqual(['failure-rate raised postmark'])
    time += hour
    await alarms.check()
    expect(toldNow()).toEqual([])
    time += minute
    await alarms.check()
    expect(toldNow()).toEqual(['failure-rate over postmark'])
    await alarms.check()
    expect(toldNow()).toEqual([])
  })

  test('are an alarm of the provider whose they are, and raised again when they come again', async () => {
    const alarms = watch()
    await sent(500, 0, 'other')
    await failed(20)
    await alarms.check()
    expect(toldNow()).toEqual(['failure-rate raised postmark'])
    await sent(380)
    await alarms.check()
    expect(toldNow()).toEqual(['failure-rate over postmark'])
    await failed(100)
    await alarms.check()
    expect(toldNow()).toEqual(['failure-rate raised postmark'])
  })

  test('are measured as asked, or not at all', async () => {
    const failureRate = { above: 0.5, window: 10 * minute, minimum: 2 }
    const asked = watch({ options: { failureRate } })
    const never = watch({ options: { failureRate: false } })
    await failed(2)
    await never.check()
    expect(toldNow()).toEqual([])
    await asked.check()
    expect(told).toMatchObject([{ failed: 2, rate: 1, window: 10 * minute }])
  })
})

describe('silence', () => {
  test('is told once, when messages are old enough, and as over with the first event', async () => {
    const alarms = watch()
    const records = await sent(10)
    time += 15 * minute
    await alarms.check()
    expect(toldNow()).toEqual([])
    time += minute
    const since = new Date(time)
    await alarms.check()
    await alarms.check()
    const silence = { kind: 'silence', provider: sampleProvider, since, window: hour }
    expect(told).toEqual([{ ...silence, state: 'raised', messages: 10 }])
    told = []
    time += minute
    const [late] = await sent(1)
    await event(late, 'accepted')
    await alarms.check()
    expect(toldNow()).toEqual([])
    await event(records[3], 'deferred')
    await alarms.check()
    await alarms.check()
    expect(told).toEqual([{ ...silence, state: 'over', messages: 11 }])
  })

  test('lasts though nothing more goes out, and is over with an event for a message long ago', async () => {
    const alarms = watch()
    const records = await sent(10, 20 * minute)
    await alarms.check()
    expect(toldNow()).toEqual(['silence raised postmark'])
    time += 3 * hour
    await alarms.check()
    expect(toldNow()).toEqual([])
    await event(records[0], 'delivered')
    await alarms.check()
    expect(toldNow()).toEqual(['silence over postmark'])
  })

  test('is none where events come for younger messages', async () => {
    const alarms = watch()
    await sent(10, 20 * minute)
    const [young] = await sent(1, minute)
    await event(young, 'delivered')
    await alarms.check()
    expect(toldNow()).toEqual([])
  })

  test('does not end with an event for a message of more than a week ago', async () => {
    const alarms = watch()
    const records = await sent(10, 20 * minute)
    await alarms.check()
    expect(toldNow()).toEqual(['silence raised postmark'])
    time += 8 * 24 * hour
    const [young] = await sent(1)
    await event(records[0], 'delivered')
    await alarms.check()
    expect(toldNow()).toEqual([])
    await event(young, 'delivered')
    await alarms.check()
    expect(toldNow()).toEqual(['silence over postmark'])
  })

  test('is one of the provider whose events stay away', async () => {
    const alarms = watch()
    const [heard] = await sent(10, 20 * minute)
    await event(heard, 'delivered')
    await sent(10, 20 * minute, 'other')
    await sent(9, 20 * minute, 'small')
    await alarms.check()
    expect(toldNow()).toEqual(['silence raised other'])
  })

  test('is none where the messages failed', async () => {
    const alarms = watch({ options: { failureRate: false } })
    await failed(30)
    time += 30 * minute
    await alarms.check()
    expect(toldNow()).toEqual([])
  })

  test('is measured as asked, or not at all', async () => {
    const silence = { window: 10 * minute, grace: 2 * minute, minimum: 1 }
    const asked = watch({ options: { silence } })
    const never = watch({ options: { silence: false } })
    await sent(1, 5 * minute)
    await never.check()
    expect(toldNow()).toEqual([])
    await asked.check()
    expect(told).toMatchObject([{ messages: 1, window: 10 * minute }])
  })
})

describe('a message that failed', () => {
  const message = (failFlag: boolean, ...tags: string[]): SentMessage => ({
    ...toSentMessage(recordAt(start, 'ann@example.com')),
    subject: tags.join(),
    failFlag,
    tags,
  })

  test('is told at once when it is critical, each by itself', () => {
    const alarms = watch()
    const reset = message(true, 'eu', 'password-reset')
    alarms.sent(reset)
    alarms.sent(message(true, 'critical'))
    alarms.sent(message(true, 'Critical', 'newsletter'))
    alarms.sent(message(false, 'transactional'))
    expect(told[0]).toEqual({
      kind: 'critical-message',
      state: 'raised',
      tags: ['password-reset'],
      message: reset,
    })
    expect(toldNow()).toEqual(['critical-message eu,password-reset', 'critical-message critical'])
  })

  test('is critical by the tags that were given', () => {
    const alarms = watch({ options: { criticalTags: ['invoice'] } })
    alarms.sent(message(true, 'critical'))
    alarms.sent(message(true, 'invoice'))
    expect(toldNow()).toEqual(['critical-message invoice'])
  })
})

describe('a store that fails', () => {
  test('is reported once until it answers again, and neither raises nor ends anything', async () => {
    let broken = false
    const counts: Store['counts'] = (query) =>
      broken ? Promise.reject(new Error('disk full')) : store.counts(query)
    const alarms = watch({ store: { counts } })
    await failed(20)
    await alarms.check()
    expect(toldNow()).toEqual(['failure-rate raised postmark'])
    broken = true
    time += 3 * hour
    await alarms.check()
    await alarms.check()
    expect(errors.map(({ code, message }) => [code, message])).toEqual([
      ['ESTORE', 'the store failed while looking for alarms: disk full'],
    ])
    expect(toldNow()).toEqual([])
    broken = false
    await alarms.check()
    expect(toldNow()).toEqual(['failure-rate over postmark'])
    broken = true
    await alarms.check()
    expect(errors).toHaveLength(2)
  })

  test('in the midst of silence leaves it as it is', async () => {
    let failures = 0
    const counts: Store['counts'] = (query) =>
      query.provider !== undefined && failures++ === 0
        ? Promise.reject(new Error('busy'))
        : store.counts(query)
    const alarms = watch({ store: { counts } })
    const [first] = await sent(10, 20 * minute)
    await alarms.check()
    await event(first, 'delivered')
    await alarms.check()
    expect(toldNow()).toEqual(['silence raised postmark'])
    await alarms.check()
    expect(toldNow()).toEqual(['silence over postmark'])
  })

  test('to answer is reported once, and is not asked again before it does', async () => {
    jest.useFakeTimers()
    let asked = 0
    let answerAll = (): void => {}
    const hanging = new Promise<[]>((resolve) => {
      answerAll = () => resolve([])
    })
    watch({
      options: { every: 1000, silence: false },
      store: {
        counts() {
          asked += 1
          return hanging
        },
      },
    })
    await jest.advanceTimersByTimeAsync(120_000)
    expect(asked).toBe(1)
    expect(errors.map(({ message }) => message)).toEqual([
      'the store failed while looking for alarms: it did not answer in time',
    ])
    answerAll()
    await jest.advanceTimersByTimeAsync(1000)
    expect(asked).toBe(2)
  })

  test('to answer is not one that answered', async () => {
    jest.useFakeTimers()
    const alarms = watch({ options: { every: hour } })
    await alarms.check()
    await jest.advanceTimersByTimeAsync(10 * minute)
    expect(errors).toEqual([])
  })
})

describe('the store is asked', () => {
  test('every minute unless something else is said, by a timer that holds no process', async () => {
    const timers = jest.spyOn(globalThis, 'setInterval')
    watch()
    expect(timers).toHaveBeenCalledWith(expect.anything(), minute)
    const [timer] = timers.mock.results.map(({ value }) => value as NodeJS.Timeout)
    expect(timer?.hasRef()).toBe(false)
  })

  test('by itself, until it is closed', async () => {
    jest.useFakeTimers()
    const alarms = watch({ options: { every: 5000 } })
    await failed(20)
    await jest.advanceTimersByTimeAsync(4999)
    expect(toldNow()).toEqual([])
    await jest.advanceTimersByTimeAsync(1)
    expect(toldNow()).toEqual(['failure-rate raised postmark'])
    alarms.close()
    time += 3 * hour
    await jest.advanceTimersByTimeAsync(60_000)
    expect(toldNow()).toEqual([])
    expect(jest.getTimerCount()).toBe(0)
  })

  test('once by those who ask at the same time', async () => {
    const counts = jest.fn<Store['counts']>(async () => [])
    const alarms = watch({ store: { counts }, options: { silence: false } })
    await Promise.all([alarms.check(), alarms.check()])
    expect(counts).toHaveBeenCalledTimes(1)
  })
})

describe('nothing is told', () => {
  test('of a store that fails after the end, and it is asked no more', async () => {
    const counts = jest.fn<Store['counts']>(() => Promise.reject(new Error('closed')))
    const alarms = watch({ store: { counts } })
    const checking = alarms.check()
    alarms.close()
    await checking
    await alarms.check()
    expect(counts).toHaveBeenCalledTimes(1)
    expect(errors).toEqual([])
  })

  test('after the end, of what was being looked at or of messages', async () => {
    const alarms = watch()
    await failed(20)
    const checking = alarms.check()
    alarms.close()
    await checking
    await alarms.check()
    alarms.sent({
      ...toSentMessage(recordAt(start, 'ann@example.com')),
      tags: ['critical'],
      failFlag: true,
    })
    expect(told).toEqual([])
    expect(errors).toEqual([])
  })
})

describe('a listener that fails', () => {
  test.each<[string, () => unknown]>([
    [
      'at once',
      () => {
        throw new Error('no pager')
      },
    ],
    ['later', () => Promise.reject(new Error('no pager'))],
  ])('%s harms nothing, and shows as a warning', async (_, fail) => {
    const alarms = watch({
      tell(alarm) {
        told.push(alarm)
        return fail()
      },
    })
    await failed(20)
    await sent(10, 20 * minute, 'other')
    await alarms.check()
    await alarms.check()
    await new Promise((resolve) => setImmediate(resolve))
    expect(toldNow()).toEqual(['failure-rate raised postmark', 'silence raised other'])
    const warning = 'a listener of alarms failed: no pager'
    expect(warnings).toEqual([warning, warning])
    expect(errors).toEqual([])
  })

  test('to take an error harms nothing either', async () => {
    const alarms = watch({
      store: { counts: () => Promise.reject(new Error('disk full')) },
      report() {
        throw new Error('no log')
      },
    })
    await alarms.check()
    expect(warnings).toEqual(['a listener of errors failed: no log'])
  })
})
