import { describe, expect, test } from '@jest/globals'
import { SendError, type SendErrorDetails } from '../src/errors.js'
import { withRetries } from '../src/retries.js'

const failure = (details: Partial<SendErrorDetails> = {}): SendError =>
  new SendError('no', {
    category: 'rate-limit',
    retryable: true,
    outcome: 'not-sent',
    retryAfter: 1,
    ...details,
  })

/** An attempt that fails so often, and how often it was made. */
function failing(times: number, error: unknown) {
  let attempts = 0
  return {
    attempts: () => attempts,
    async attempt() {
      attempts += 1
      if (attempts <= times) throw error
      return 'sent'
    },
  }
}

describe('a send that fails', () => {
  test('is tried again as often as asked, and no further', async () => {
    const twice = failing(2, failure())
    await expect(withRetries(twice.attempt, { retries: 2 })).resolves.toBe('sent')
    expect(twice.attempts()).toBe(3)
    const always = failing(9, failure())
    await expect(withRetries(always.attempt, { retries: 2 })).rejects.toThrow('no')
    expect(always.attempts()).toBe(3)
    const once = failing(9, failure())
    await expect(withRetries(once.attempt, { retries: 0 })).rejects.toThrow('no')
    expect(once.attempts()).toBe(1)
  })

  test.each([
    ['may have been sent', failure({ outcome: 'unknown', retryable: true })],
    ['would fail again', failure({ retryable: false })],
    ['is to wait longer than anybody would', failure({ retryAfter: 31_000 })],
    ['failed in another way', new Error('no')],
  ])('is not tried again where it %s', async (_, error) => {
    const send = failing(9, error)
    await expect(withRetries(send.attempt, { retries: 5 })).rejects.toBe(error)
    expect(send.attempts()).toBe(1)
  })

  test('waits as long as the provider asks for, or else longer each time and never all alike', async () => {
    const waits = async (error: SendError, random: number): Promise<number[]> => {
      const waited: number[] = []
      await withRetries(failing(3, error).attempt, {
        retries: 3,
        random: () => random,
        pause: async (wait) => void waited.push(wait),
      })
      return waited
    }
    expect(await waits(failure({ retryAfter: 2000 }), 0)).toEqual([2000, 2000, 2000])
    const longest = 30_000
    expect(await waits(failure({ retryAfter: longest }), 0)).toEqual([longest, longest, longest])
    const { category, retryable, outcome } = failure()
    const plain = new SendError('no', { category, retryable, outcome })
    expect(await waits(plain, 1)).toEqual([500, 1000, 2000])
    expect(await waits(plain, 0)).toEqual([250, 500, 1000])
  })

  test('is given up with its last failure where nobody waits any more', async () => {
    const stop = new AbortController()
    const send = failing(9, failure({ retryAfter: 20_000 }))
    const sent = withRetries(send.attempt, { retries: 5, signal: stop.signal })
    stop.abort()
    await expect(sent).rejects.toThrow('no')
    expect(send.attempts()).toBe(1)
  })
})
