import { describe, expect, test } from '@jest/globals'
import { toSendAt } from '../../../src/providers/mandrill/send-at.js'

const now = Date.parse('2026-03-01T08:00:00.500Z')

describe('the time of sending', () => {
  test.each([
    ['2026-03-01T09:05:07.999Z', '2026-03-01 09:05:07'],
    ['2026-03-02T01:30:00+02:00', '2026-03-01 23:30:00'],
    ['2020-01-01T00:00:00Z', '2020-01-01 00:00:00'],
    ['2027-03-01T08:00:00.500Z', '2027-03-01 08:00:00'],
  ])('%s is %s in the words of Mandrill', (given, written) => {
    expect(toSendAt(new Date(given), now)).toBe(written)
  })

  test('may be no more than a year ahead', () => {
    expect(() => toSendAt(new Date('2027-03-01T08:00:00.501Z'), now)).toThrow(
      expect.objectContaining({
        category: 'validation',
        retryable: false,
        outcome: 'not-sent',
        message:
          'sendAt is 2027-03-01T08:00:00.501Z, and Mandrill takes times of up to one year ahead: until 2027-03-01T08:00:00.500Z',
      }),
    )
  })
})
