import { describe, expect, jest, test } from '@jest/globals'
import { setTimeout as delay } from 'node:timers/promises'
import { lambdaHandler, type LambdaEvent } from '../../src/adapters/lambda.js'
import { guardWebhook } from '../../src/guarded-webhook.js'
import { type Correlator, createCorrelator, memoryStore } from '../../src/index.js'
import { outsideWebhook, secret } from '../outside-provider.js'
import { serverProgram, testHost } from './hosts.js'

describe.each([
  ['a REST API', '1.0'],
  ['an HTTP API or a function URL', '2.0'],
])('AWS Lambda behind %s', (_, format) => {
  const program = [serverProgram('lambda.mjs'), format]

  describe('with bodies in base64', () => testHost({ program: [...program, 'base64'] }))
  describe('with bodies as text', () => testHost({ program: [...program, 'text'], textOnly: true }))
})

const entry = { type: 'delivered', at: 1_760_000_000, to: 'ann@example.com' }

const posted = (headers: Record<string, string> = secret): LambdaEvent => ({
  rawPath: '/outside',
  rawQueryString: '',
  headers,
  requestContext: { http: { method: 'POST', sourceIp: '192.0.2.7' } },
  body: JSON.stringify([entry]),
  isBase64Encoded: false,
})

describe('AWS Lambda, which stands still once it has answered', () => {
  const open = () =>
    createCorrelator({ store: memoryStore(), webhooks: [outsideWebhook()], foreignAfter: 0 })

  test('answers when listeners have been told', async () => {
    const correlator = open()
    const told: string[] = []
    correlator.on('delivered', async ({ type }) => {
      await delay(100)
      told.push(type)
    })
    const { statusCode } = await lambdaHandler(correlator)(posted())
    expect([statusCode, told]).toEqual([202, ['delivered']])
    await correlator.close()
  })

  test('answers in time while a listener goes on, whose event stays in the store', async () => {
    const store = memoryStore()
    const correlator = createCorrelator({ store, webhooks: [outsideWebhook()], foreignAfter: 0 })
    correlator.on('delivered', () => new Promise(() => {}))
    const started = Date.now()
    const { statusCode } = await lambdaHandler(correlator, { drainTimeout: 200 })(posted())
    expect(statusCode).toBe(202)
    expect(Date.now() - started).toBeGreaterThanOrEqual(190)
    expect(Date.now() - started).toBeLessThan(1000)
    expect(await store.nextDue()).toBeDefined()
    await correlator.close({ timeout: 0 })
  })

  test.each<[string, () => Correlator]>([
    [
      'a listener goes on',
      () => {
        const correlator = open()
        return { ...correlator, drain: () => new Promise<void>(() => {}) }
      },
    ],
    [
      'an event waits for its message',
      () => {
        const correlator = createCorrelator({ store: memoryStore(), webhooks: [outsideWebhook()] })
        correlator.on('delivered', () => {})
        return correlator
      },
    ],
    [
      'a listener that failed is to be told again',
      () => {
        const correlator = open()
        correlator.onError(() => {})
        correlator.on('delivered', () => Promise.reject(new Error('the CRM is away')))
        return correlator
      },
    ],
  ])('answers after a second and a half while %s', async (_, started) => {
    jest.useFakeTimers()
    const correlator = started()
    let answered = false
    const handling = lambdaHandler(correlator)(posted()).then(() => {
      answered = true
    })
    await jest.advanceTimersByTimeAsync(1499)
    expect(answered).toBe(false)
    await jest.advanceTimersByTimeAsync(1)
    await handling
    jest.useRealTimers()
    await correlator.close()
  })

  test('waits for nothing where nobody listens', async () => {
    const correlator = open()
    const handler = lambdaHandler(correlator, { drainTimeout: 60_000 })
    expect((await handler(posted())).statusCode).toBe(202)
    await correlator.close()
  })

  test('waits for nothing on behalf of a forger', async () => {
    const drain = () => new Promise<void>(() => {})
    const correlator = open()
    const handler = lambdaHandler({ ...correlator, drain }, { drainTimeout: 60_000 })
    expect((await handler(posted({}))).statusCode).toBe(418)
    await correlator.close()
  })

  test('has one wait for all the requests that come meanwhile', async () => {
    let waits = 0
    const drain = () => {
      waits += 1
      return new Promise<void>(() => {})
    }
    const correlator = open()
    const handler = lambdaHandler({ ...correlator, drain }, { drainTimeout: 20 })
    await handler(posted())
    await Promise.all([handler(posted()), handler(posted())])
    expect(waits).toBe(1)
    await correlator.close()
  })

  test('looks again for what was stored while it looked', async () => {
    const ends: (() => void)[] = []
    const drain = () => new Promise<void>((resolve) => ends.push(resolve))
    const correlator = open()
    const handler = lambdaHandler({ ...correlator, drain })
    const answers = [handler(posted())]
    while (ends.length < 1) await delay(1)
    answers.push(handler(posted()))
    await delay(20)
    ends[0]?.()
    while (ends.length < 2) await delay(1)
    ends[1]?.()
    expect((await Promise.all(answers)).map(({ statusCode }) => statusCode)).toEqual([202, 202])
    await correlator.close()
  })

  test('answers that it is stored when telling fails', async () => {
    const correlator = open()
    const drain = () => Promise.reject(new Error('the store is away'))
    const { statusCode } = await lambdaHandler({ ...correlator, drain })(posted())
    expect(statusCode).toBe(202)
    await correlator.close()
  })
})

describe('an event of AWS Lambda', () => {
  const read: { target: string; agent: string | undefined; address: string | undefined }[] = []
  const handler = lambdaHandler(
    guardWebhook(outsideWebhook(), ({ target, header, clientAddress }) => {
      read.push({ target, agent: header('user-agent'), address: clientAddress })
    }),
  )

  test.each<[string, Partial<LambdaEvent>, Partial<(typeof read)[number]>]>([
    ['a header that stands there twice', { headers: { 'user-agent': 'a,b' } }, { agent: 'a,b' }],
    [
      'all values of a header, in format 1.0',
      { headers: { 'User-Agent': 'b' }, multiValueHeaders: { 'User-Agent': ['a', 'b'] } },
      { agent: 'a, b' },
    ],
    ['a header beyond ASCII', { headers: { 'user-agent': '☃' } }, { agent: 'â\u0098\u0083' }],
    ['a path that fetch would take for a host', { rawPath: '//a/b' }, { target: '//a/b' }],
    ['a path with a query in it', { rawPath: '/a?b#c' }, { target: '/a%3Fb%23c' }],
    ['the address of the caller', {}, { address: '192.0.2.7' }],
  ])('gives %s', async (_, event, expected) => {
    read.length = 0
    const headers = { ...secret, ...event.headers }
    const { multiValueHeaders } = event
    const { statusCode } = await handler({
      ...posted(),
      ...event,
      headers,
      ...(multiValueHeaders && {
        multiValueHeaders: { ...multiValueHeaders, 'x-secret': [secret['x-secret']] },
      }),
    })
    expect(statusCode).toBe(202)
    expect(read).toEqual([expect.objectContaining(expected)])
  })

  test('that is no request is refused by name', async () => {
    await expect(handler({})).rejects.toThrow('lambdaHandler: the event is no HTTP request')
  })
})
