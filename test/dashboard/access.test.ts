import { afterEach, describe, expect, jest, test } from '@jest/globals'
import type { Authorize } from '../../src/dashboard/access.js'
import { byGuards, dashboard } from '../../src/dashboard/index.js'
import { addressAllowList, basicAuth, createCorrelator, memoryStore } from '../../src/index.js'
import { type Board, type BoardOptions, everyPath, startBoard } from './board.js'

let running: Board | undefined
afterEach(async () => {
  await running?.close()
  running = undefined
})

async function start(options: Pick<BoardOptions, 'authorize' | 'trustedProxies'>): Promise<string> {
  running = await startBoard({ open: false, ...options })
  await running.transporter.sendMail({
    from: 'shop@example.com',
    to: 'ann@example.org',
    subject: 'Nobody else is to see this',
    text: 'x',
  })
  return running.url
}

const wrong =
  (value: unknown): Authorize =>
  () =>
    value as boolean

describe('what nobody is authorized for', () => {
  test.each<[string, { authorize?: Authorize }, number]>([
    ['without authorize', {}, 403],
    ['with one that says no', { authorize: () => false }, 403],
    ['with one that says no later', { authorize: async () => false }, 403],
    ['with one that asks who it is', { authorize: () => 'unauthenticated' }, 401],
    ['with one that says nothing', { authorize: wrong(undefined) }, 403],
    ['with one that gives a text', { authorize: wrong('yes') }, 403],
    ['with one that gives a user without a name', { authorize: () => ({ user: '' }) }, 403],
    ['with one that gives something else', { authorize: wrong({ refused: true }) }, 403],
  ])('is shown nowhere: %s', async (_, options, status) => {
    const url = await start(options)
    for (const path of [...everyPath, '../mailtrail']) {
      for (const method of ['GET', 'HEAD', 'POST', 'PUT']) {
        const answer = await fetch(url + path, { method, redirect: 'manual' })
        expect([method, path, answer.status]).toEqual([method, path, status])
        expect(await answer.text()).toBe(
          method === 'HEAD' ? '' : status === 401 ? 'Unauthorized' : 'Forbidden',
        )
      }
    }
  })

  test('is shown nowhere when authorize fails, which a process warning tells', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const authorize = (): boolean => {
      throw new Error('the session store is away')
    }
    const url = await start({ authorize })
    expect((await fetch(url)).status).toBe(403)
    expect(warn.mock.calls[0]?.[0]).toBe('dashboard: authorize failed: the session store is away')
    warn.mockRestore()
  })
})

describe('what somebody is authorized for', () => {
  test.each<[string, Authorize]>([
    ['true', () => true],
    ['true, later', async () => true],
    ['the name of a user', () => ({ user: 'ann' })],
  ])('is shown: %s', async (_, authorize) => {
    const url = await start({ authorize })
    const answer = await fetch(`${url}messages`)
    expect(answer.status).toBe(200)
    expect(await answer.text()).toContain('Nobody else is to see this')
  })

  test('is told by the request: its method, path, headers and where it comes from', async () => {
    const asked: unknown[] = []
    const url = await start({
      authorize({ method, target, header, clientAddress }) {
        asked.push([method, target, header('x-team'), clientAddress])
        return true
      },
    })
    await fetch(`${url}messages?tag=a`, { headers: { 'x-team': 'ops' } })
    expect(asked).toEqual([['GET', '/mailtrail/messages?tag=a', 'ops', '127.0.0.1']])
  })

  test.each([
    ['is the proxy itself', {}, '127.0.0.1'],
    [
      'is who asked the proxy, where that is trusted',
      { trustedProxies: ['loopback'] },
      '192.0.2.7',
    ],
  ])('behind a proxy %s', async (_, options, address) => {
    const asked: unknown[] = []
    const url = await start({
      ...options,
      authorize: ({ clientAddress }) => asked.push(clientAddress) > 0,
    })
    await fetch(url, { headers: { 'x-forwarded-for': '192.0.2.1, 192.0.2.7' } })
    expect(asked).toEqual([address])
  })
})

describe('guards of webhooks', () => {
  const authorization = `Basic ${Buffer.from('team:secret').toString('base64')}`

  test('ask the browser for a password', async () => {
    const url = await start({ authorize: byGuards(basicAuth('team', 'secret')) })
    const refused = await fetch(url)
    expect(refused.status).toBe(401)
    expect(refused.headers.get('www-authenticate')).toMatch(/^Basic realm="mailtrail"/)
    expect((await fetch(url, { headers: { authorization } })).status).toBe(200)
  })

  test('must all let a request through', async () => {
    const guards = [basicAuth('team', 'secret'), addressAllowList(['192.0.2.0/24'])] as const
    const url = await start({ authorize: byGuards(...guards) })
    expect((await fetch(url, { headers: { authorization } })).status).toBe(403)
  })
})

test.each<[string, object, RegExp]>([
  ['no correlator', { correlator: undefined }, /correlator is missing/],
  ['an authorize that is no function', { authorize: true }, /authorize must be a function/],
  ['a path that is none', { path: 'https://example.com/' }, /path must be a path/],
  ['a short secret', { secret: 'abc' }, /16 characters/],
  ['a proxy that is no address', { trustedProxies: ['proxy'] }, /trustedProxies/],
])('%s is refused at the start', (_, options, message) => {
  const correlator = createCorrelator({ store: memoryStore(), webhooks: [] })
  expect(() => dashboard({ correlator, authorize: () => true, ...options })).toThrow(message)
})
