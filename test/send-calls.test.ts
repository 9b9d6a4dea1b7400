import { describe, expect, test } from '@jest/globals'
import { SendError } from '../src/index.js'
import { type SendCall, sendInCalls } from '../src/send-calls.js'
import type { SendAnswer } from '../src/send-result.js'

const answer = (id: string): SendAnswer => ({
  response: '202 Accepted',
  providerMessageId: id,
  messageId: '<m@example.com>',
  recipient: () => ({ status: 'accepted', providerStatus: 'queued' }),
})

const failure = (outcome: SendError['outcome']) =>
  new SendError('it broke', { category: 'network', retryable: true, outcome })

const calls: SendCall<string>[] = [
  { request: 'first', addresses: ['Ann@example.org', 'bob@example.org'] },
  { request: 'second', addresses: ['carl@example.org'] },
  { request: 'third', addresses: ['dora@example.org'] },
]

/** Fails at the call of that name, and notes the calls. */
async function send(failing?: string, outcome: SendError['outcome'] = 'not-sent') {
  const made: string[] = []
  const all = await sendInCalls(calls, async (request) => {
    made.push(request)
    if (request === failing) throw failure(outcome)
    return answer(`id-${request}`)
  }).catch((error: unknown) => error)
  if (!(typeof all === 'object' && all !== null && 'recipient' in all)) return { made, error: all }
  const { recipient, ...rest }: SendAnswer = Object.assign({ response: '' }, answer(''), all)
  const of = (address: string) => recipient(address)
  return { made, rest, of }
}

describe('several calls of one message', () => {
  test('are made one after the other, and each recipient has the id of its own', async () => {
    const { made, of } = await send()
    expect(made).toEqual(['first', 'second', 'third'])
    const accepted = { status: 'accepted', providerStatus: 'queued' }
    expect(of?.('ann@EXAMPLE.org')).toEqual({ ...accepted, providerMessageId: 'id-first' })
    expect(of?.('carl@example.org')).toEqual({ ...accepted, providerMessageId: 'id-second' })
    expect(of?.('dora@example.org')).toEqual({ ...accepted, providerMessageId: 'id-third' })
  })

  test('end with the first that fails: what is left was not sent, and it says why', async () => {
    const { made, of } = await send('second')
    expect(made).toEqual(['first', 'second'])
    expect(of?.('bob@example.org')).toMatchObject({ status: 'accepted' })
    expect(of?.('carl@example.org')).toEqual({
      status: 'failed',
      providerStatus: '',
      reason: 'it broke',
    })
    expect(of?.('dora@example.org')).toEqual({
      status: 'failed',
      providerStatus: '',
      reason: 'not sent, for an earlier call of it failed: it broke',
    })
  })

  test('leave open only those of the call whose outcome is unknown', async () => {
    const { of } = await send('second', 'unknown')
    expect(of?.('carl@example.org')).toMatchObject({ status: 'unknown', reason: 'it broke' })
    expect(of?.('dora@example.org')).toMatchObject({ status: 'failed' })
  })

  test('leave open those of a call that fails in some other way', async () => {
    const made: string[] = []
    const all = await sendInCalls(calls, async (request) => {
      made.push(request)
      if (request === 'second') throw new TypeError('a fault of ours')
      return answer(request)
    })
    expect(made).toEqual(['first', 'second'])
    expect(all.recipient('ann@example.org')).toMatchObject({ status: 'accepted' })
    expect(all.recipient('carl@example.org')).toMatchObject({ status: 'unknown' })
  })

  test('are a failure when the first is one', async () => {
    const { made, error } = await send('first')
    expect(made).toEqual(['first'])
    expect(error).toBeInstanceOf(SendError)
  })
})

test('the answer to a single call is given as it is', async () => {
  const only = answer('id')
  expect(await sendInCalls(calls.slice(0, 1), async () => only)).toBe(only)
})
