import { describe, expect, test } from '@jest/globals'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import {
  addressAllowList,
  basicAuth,
  ConfigurationError,
  createCorrelator,
  forgeryLimit,
  type Guard,
  memoryStore,
  querySecret,
  rateLimit,
  userAgent,
} from '../src/index.js'
import { startEndpoint } from './endpoint.js'
import { outsideWebhook, postEntries, secret } from './outside-provider.js'
import { webhookRequest } from './webhook-request.js'

interface Asked {
  target?: string
  headers?: Record<string, string>
  clientAddress?: string
}

/** Why a guard refuses a request; undefined when it lets it through. */
async function refusedBy(guard: Guard, { headers = {}, ...head }: Asked) {
  const refusal = await guard.check(webhookRequest(headers, '', head))
  return refusal?.reason
}

const basic = (credentials: string): Asked => ({
  headers: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
})

describe('a secret in the query', () => {
  const guard = querySecret(['old secret', 'new/secret'])

  test.each([
    ['/hooks?secret=old+secret', undefined],
    ['/hooks?a=b&secret=new%2Fsecret&c=d', undefined],
    ['/hooks?secret=old', 'wrong-secret'],
    ['/hooks?secret=', 'wrong-secret'],
    ['/hooks?secret=old+secret&secret=old+secret', 'wrong-secret'],
    ['/hooks?Secret=old+secret', 'wrong-secret'],
    ['/hooks', 'wrong-secret'],
    ['', 'wrong-secret'],
  ])('is asked of %s, which is refused as %s', async (target, reason) => {
    expect(await refusedBy(guard, { target })).toBe(reason)
  })

  test('may have another name', async () => {
    const named = querySecret('s3cr3t', { parameter: 'key' })
    expect(await refusedBy(named, { target: '/?key=s3cr3t' })).toBeUndefined()
    expect(await refusedBy(named, { target: '/?secret=s3cr3t' })).toBe('wrong-secret')
  })

  test('may be looked up for every request', async () => {
    let valid = ['first']
    const rotating = querySecret(async () => valid)
    expect(await refusedBy(rotating, { target: '/?secret=first' })).toBeUndefined()
    valid = ['second']
    expect(await refusedBy(rotating, { target: '/?secret=first' })).toBe('wrong-secret')
    expect(await refusedBy(rotating, { target: '/?secret=second' })).toBeUndefined()
  })

  test('stands in no detail', async () => {
    const refusal = await guard.check(webhookRequest({}, '', { target: '/?secret=guessed' }))
    expect(refusal?.detail).not.toMatch(/guessed|old secret|new\/secret/)
  })

  test.each([[''], [[]], ['  ']])('that is missing (%j) is no guard', (nothing) => {
    expect(() => querySecret(nothing)).toThrow(ConfigurationError)
    expect(() => querySecret(nothing)).toThrow('without it anybody would be let in')
  })
})

describe('basic authentication', () => {
  const guard = basicAuth('hook', ['first:with colon', 'zwölf'])

  test.each([
    ['the first password', basic('hook:first:with colon'), undefined],
    ['the second one', basic('hook:zwölf'), undefined],
    ['another password', basic('hook:other'), 'wrong-credentials'],
    ['another user', basic('other:zwölf'), 'wrong-credentials'],
    ['no password', basic('hook'), 'wrong-credentials'],
    [
      'another scheme',
      { headers: { authorization: 'Bearer aG9vazp6d8O2bGY=' } },
      'wrong-credentials',
    ],
    ['no base64', { headers: { authorization: 'Basic hook:zwölf' } }, 'wrong-credentials'],
    ['nothing', {}, 'wrong-credentials'],
  ])('with %s', async (_, asked, reason) => {
    expect(await refusedBy(guard, asked)).toBe(reason)
  })

  test('needs a user and a password', () => {
    expect(() => basicAuth('', 'x')).toThrow(ConfigurationError)
    expect(() => basicAuth('a:b', 'x')).toThrow(ConfigurationError)
    expect(() => basicAuth('hook', '')).toThrow(ConfigurationError)
  })
})

describe('an allow list of addresses', () => {
  const guard = addressAllowList(['192.0.2.7', '198.51.100.0/24', '2001:db8::/32', 'loopback'])

  test.each([
    ['192.0.2.7', undefined],
    ['192.0.2.8', 'wrong-address'],
    ['198.51.100.255', undefined],
    ['2001:db8:ffff::1', undefined],
    ['2001:db9::1', 'wrong-address'],
    ['127.8.0.1', undefined],
    ['::1', undefined],
    [undefined, 'wrong-address'],
  ])('lets %s through, or refuses it as %s', async (clientAddress, reason) => {
    expect(await refusedBy(guard, clientAddress === undefined ? {} : { clientAddress })).toBe(
      reason,
    )
  })

  test.each([
    [[]],
    [['example.com']],
    [['10.0.0.0/33']],
    [['10.0.0.0/']],
    [['::/129']],
    [['1.2.3.4/8/8']],
  ])('of %j is none', (ranges) => {
    expect(() => addressAllowList(ranges)).toThrow(ConfigurationError)
  })
})

describe('a user agent', () => {
  const sent = (agent: string): Asked => ({ headers: { 'user-agent': agent } })

  test.each([
    ['SendGrid', 'SendGrid Event API', undefined],
    ['SendGrid', 'Not SendGrid', 'wrong-agent'],
    [/^mailgun\//i, 'Mailgun/treq-16.12.0', undefined],
    [/^mailgun\//i, 'curl/8', 'wrong-agent'],
  ])('like %s: %s', async (expected, agent, reason) => {
    expect(await refusedBy(userAgent(expected), sent(agent))).toBe(reason)
  })

  test('is looked for anew in each request, also with a global pattern', async () => {
    const guard = userAgent(/SendGrid/g)
    const asked = [1, 2, 3].map(() => refusedBy(guard, sent('SendGrid')))
    expect(await Promise.all(asked)).toEqual([undefined, undefined, undefined])
  })

  test('is asked for by a text that says something', () => {
    expect(() => userAgent('')).toThrow(ConfigurationError)
  })
})

describe('a rate limit', () => {
  test('holds for each address, and says when to come again', async () => {
    const guard = rateLimit(new RateLimiterMemory({ points: 2, duration: 60 }))
    const from = (clientAddress: string) => guard.check(webhookRequest({}, '', { clientAddress }))
    expect([await from('192.0.2.1'), await from('192.0.2.1')]).toEqual([undefined, undefined])
    const refusal = await from('192.0.2.1')
    expect(refusal?.reason).toBe('rate-limited')
    expect(refusal?.retryAfter).toBeGreaterThan(50_000)
    expect(await from('192.0.2.2')).toBeUndefined()
  })

  test('whose limiter fails is no refusal, but a failure of ours', async () => {
    const broken = {
      consume: () => Promise.reject(new Error('redis is away')),
      get: () => Promise.reject(new Error('redis is away')),
    }
    await expect(rateLimit(broken).check(webhookRequest({}, ''))).rejects.toThrow('redis is away')
    await expect(forgeryLimit(broken).check(webhookRequest({}, ''))).rejects.toThrow(
      'redis is away',
    )
  })

  test('needs a limiter', () => {
    // @ts-expect-error it is none
    expect(() => rateLimit({ points: 5 })).toThrow(ConfigurationError)
    // @ts-expect-error it is none
    expect(() => forgeryLimit()).toThrow(ConfigurationError)
  })
})

describe('at an endpoint', () => {
  const entry = { type: 'delivered', at: 1_760_000_000, to: 'ann@example.com' } as const

  async function start(guards: readonly Guard[], trustedProxies?: readonly string[]) {
    const store = memoryStore()
    const webhooks = [outsideWebhook({ guards })]
    const correlator = createCorrelator({
      store,
      webhooks,
      ...(trustedProxies && { trustedProxies }),
    })
    const refused: string[] = []
    correlator.on('refused', ({ reason }) => void refused.push(reason))
    const endpoint = await startEndpoint(correlator.nodeHandler)
    return {
      url: `${endpoint.url}/outside`,
      correlator,
      refused,
      stored: async () => (await store.nextDue()) !== undefined,
      async [Symbol.asyncDispose]() {
        await endpoint.close()
        await correlator.close()
      },
    }
  }

  test('each of several guards is asked', async () => {
    await using started = await start([querySecret('s'), userAgent('Provider/')])
    const { url, refused } = started
    const agent = { ...secret, 'user-agent': 'Provider/1' }
    const statuses = [
      (await postEntries(url, [entry], agent)).status,
      (await postEntries(`${url}?secret=s`, [entry], secret)).status,
    ]
    expect(statuses).toEqual([403, 403])
    expect(refused).toEqual(['wrong-secret', 'wrong-agent'])
    expect(await started.stored()).toBe(false)
    expect((await postEntries(`${url}?secret=s`, [entry], agent)).status).toBe(202)
    expect(await started.stored()).toBe(true)
  })

  test.each(['GET', 'HEAD', 'POST'])('a secret is asked of %s too', async (method) => {
    await using started = await start([querySecret('s')])
    expect((await fetch(started.url, { method })).status).toBe(403)
    expect((await fetch(`${started.url}?secret=s`, { method })).status).not.toBe(403)
  })

  test('a refused request is refused before its body is read', async () => {
    await using started = await start([querySecret('s')])
    let sent = 0
    const endless = ReadableStream.from(
      (async function* () {
        for (;;) {
          sent += 1
          yield new Uint8Array(65_536)
        }
      })(),
    )
    const response = await fetch(started.url, { method: 'POST', body: endless, duplex: 'half' })
    expect(response.status).toBe(403)
    // What the sockets on both sides have taken in, and no more.
    expect(sent * 65_536).toBeLessThan(64 * 1024 * 1024)
  })

  test('too many forged requests shut their sender out, and nobody else', async () => {
    const limiter = new RateLimiterMemory({ points: 3, duration: 60 })
    await using started = await start([forgeryLimit(limiter)], ['loopback'])
    const post = (address: string, headers: Record<string, string>) =>
      postEntries(started.url, [entry], { ...headers, 'x-forwarded-for': address })
    const forger = '203.0.113.66'
    for (let time = 0; time < 3; time += 1) {
      expect((await post(forger, { 'x-secret': 'guess' })).status).toBe(418)
    }
    const shut = await post(forger, secret)
    expect(shut.status).toBe(429)
    expect(Number(shut.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await post('203.0.113.67', secret)).status).toBe(202)
    expect(started.refused).toEqual([
      'bad-signature',
      'bad-signature',
      'bad-signature',
      'rate-limited',
    ])
  })

  test('what is merely malformed shuts nobody out', async () => {
    const limiter = new RateLimiterMemory({ points: 1, duration: 60 })
    await using started = await start([forgeryLimit(limiter)])
    await postEntries(started.url, { no: 'list' })
    await postEntries(started.url, { no: 'list' })
    expect((await postEntries(started.url, [entry])).status).toBe(202)
  })

  test('an address that a stranger forwards is not believed', async () => {
    await using started = await start([addressAllowList(['203.0.113.0/24'])])
    const headers = { ...secret, 'x-forwarded-for': '203.0.113.5' }
    expect((await postEntries(started.url, [entry], headers)).status).toBe(403)
  })

  test('an address that a trusted proxy forwards is, and what stands before it is not', async () => {
    await using started = await start([addressAllowList(['203.0.113.0/24'])], ['loopback'])
    const post = (forwarded: string) =>
      postEntries(started.url, [entry], { ...secret, 'x-forwarded-for': forwarded })
    expect((await post('203.0.113.5')).status).toBe(202)
    expect((await post('203.0.113.5, 192.0.2.1')).status).toBe(403)
    expect((await post('192.0.2.1, 203.0.113.5')).status).toBe(202)
  })

  test('a guard that fails is answered 503, so that the provider comes again', async () => {
    const failing: Guard = { check: () => Promise.reject(new Error('the vault is sealed')) }
    await using started = await start([failing])
    const response = await postEntries(started.url, [entry])
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '30'])
    expect(started.refused).toEqual(['unexpected'])
  })

  test('a guard that fails at being told changes no answer', async () => {
    const failing: Guard = {
      check: () => undefined,
      refused: () => Promise.reject(new Error('redis is away')),
    }
    await using started = await start([failing])
    expect((await postEntries(started.url, [entry], {})).status).toBe(418)
    expect(started.refused).toEqual(['bad-signature', 'unexpected'])
  })
})
