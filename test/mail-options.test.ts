import { describe, expect, test } from '@jest/globals'
import { SendError } from '../src/index.js'
import { checkedSignal, checkedTask } from '../src/mail-options.js'

const check = (data: Record<string, unknown>) => checkedTask(data, 'outside')

describe('the options that a provider carries out', () => {
  test('are absent where they are not given', () => {
    const nothing = { templateData: {}, own: {} }
    expect(check({})).toEqual(nothing)
    expect(check({ templateId: null, sendAt: undefined, trackOpens: null })).toEqual(nothing)
  })

  test('are taken as they are given', () => {
    const given = {
      templateId: 'd-42',
      templateData: { name: 'Ann', items: [1] },
      trackOpens: false,
      trackClicks: true,
    }
    const sendAt = new Date('2026-12-01T08:00:00Z')
    expect(check({ ...given, sendAt, outside: { a: 1 }, other: { b: 1 } })).toEqual({
      ...given,
      sendAt,
      own: { a: 1 },
    })
    expect(check({ sendAt: '2026-12-01T09:00:00+01:00' })).toMatchObject({ sendAt })
    expect(check({ templateId: 42 })).toMatchObject({ templateId: '42' })
  })

  test.each([
    ['a template without a name', { templateId: ' ' }, 'templateId'],
    ['a template that is no text', { templateId: {} }, 'templateId'],
    ['a list to fill a template with', { templateData: [] }, 'templateData'],
    ['a map to fill a template with', { templateData: new Map() }, 'templateData'],
    ['a date to fill a template with', { templateData: new Date() }, 'templateData'],
    ['a number for a time, which has two meanings', { sendAt: 1_760_000_000 }, 'sendAt'],
    ['no time', { sendAt: 'tomorrow' }, 'sendAt'],
    ['a broken time', { sendAt: new Date(Number.NaN) }, 'sendAt'],
    ['a text for yes', { trackOpens: 'yes' }, 'trackOpens'],
    ['a number for no', { trackClicks: 0 }, 'trackClicks'],
    ['a text under its name', { outside: 'x' }, 'outside'],
  ])('are refused with %s', (_, data, named) => {
    expect(() => check(data)).toThrow(SendError)
    expect(() => check(data)).toThrow(named)
  })
})

test('a signal is known by what it does', () => {
  const { signal } = new AbortController()
  expect(checkedSignal({ signal })).toBe(signal)
  expect(checkedSignal({})).toBeUndefined()
  expect(checkedSignal({ signal: null })).toBeUndefined()
  for (const wrong of ['stop', {}, { aborted: false }]) {
    expect(() => checkedSignal({ signal: wrong })).toThrow('signal must be an AbortSignal')
  }
})
