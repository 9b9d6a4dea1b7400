import { describe, expect, test } from '@jest/globals'
import { sign } from '../../../src/providers/mandrill/signature.js'
import { type House, startHouse } from './house.js'
import { entry, formOf } from './webhook-requests.js'

const sync = { type: 'blacklist', action: 'add', reject: { email: 'gone@example.org' }, ts: 1 }
const reply = { event: 'inbound', ts: 1767226100, msg: { email: 'box@in.example.com' } }

describe.each<[string, unknown]>([
  ['events of messages', [entry()]],
  ['changes of lists', [sync]],
  ['inbound mail', [reply]],
  ['a mixed batch', [entry(), sync, reply, null]],
  ['an empty batch', []],
])('%s', (_, batch) => {
  const body = formOf(batch)
  const stored = Array.isArray(batch) ? batch.length : 0

  test.each<[string, number, number, (house: House) => Promise<number>]>([
    ['that is signed', 200, stored, (house) => house.post(batch)],
    ['by the second key', 200, stored, (house) => house.post(batch, 'next')],
    ['by another key', 403, 0, (house) => house.post(batch, 'forged')],
    [
      'without a signature',
      403,
      0,
      (house) => house.postBody(body, { 'x-mandrill-signature': '' }),
    ],
    [
      'that was changed',
      403,
      0,
      (house) =>
        house.postBody(`${body}&a=1`, {
          'x-mandrill-signature': sign('next', house.url, new URLSearchParams(body)),
        }),
    ],
    ['twice in one form', 400, 0, (house) => house.postBody(`${body}&${body}`)],
    ['as a list in the form', 400, 0, (house) => house.postBody(body.replace('=', '%5B%5D='))],
    ['cut short', 400, 0, (house) => house.postBody(body.slice(0, -3))],
    [
      'as JSON',
      415,
      0,
      (house) => house.postBody(JSON.stringify(batch), { 'content-type': 'application/json' }),
    ],
    ['that is packed', 415, 0, (house) => house.postBody(body, { 'content-encoding': 'gzip' })],
    ['in too large a form', 413, 0, (house) => house.postBody(`${body}&pad=${'x'.repeat(60_000)}`)],
  ])('%s is answered %i', async (__, status, events, post) => {
    const house = await startHouse([], 0, { maxBodyBytes: 50_000 })
    expect(await post(house)).toBe(status)
    await house.settle()
    expect(house.told).toHaveLength(events)
    expect(house.errors).toHaveLength(status === 200 ? 0 : 1)
  })
})
