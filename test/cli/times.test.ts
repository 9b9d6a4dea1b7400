import { expect, test } from '@jest/globals'
import { timeIn } from '../../src/cli/times.js'
import { UsageError } from '../../src/errors.js'

const now = new Date('2026-03-01T12:00:00Z')

test.each([
  ['30m', '2026-03-01T11:30:00Z'],
  ['12h', '2026-03-01T00:00:00Z'],
  ['90d', '2025-12-01T12:00:00Z'],
  ['2w', '2026-02-15T12:00:00Z'],
  ['1y', '2025-03-01T12:00:00Z'],
  ['2026-01-31', '2026-01-31T00:00:00Z'],
  ['2026-01-31T12:00:00Z', '2026-01-31T12:00:00Z'],
])('%s is %s', (written, time) => {
  expect(timeIn(written, now)).toEqual(new Date(time))
})

test.each(['', '49', '90', '90s', '9 d', '-3d', 'yesterday', '2026', '2026-13-01', '31.01.2026'])(
  '%j is no time',
  (written) => {
    expect(() => timeIn(written, now)).toThrow(UsageError)
  },
)
