import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { TooManyPairsError, urlEncodedPairs } from '../src/urlencoded.js'

const textsOf = (body: string): [string, string][] =>
  urlEncodedPairs(Buffer.from(body), 1000).map(([name, value]) => [name, value.toString()])

describe('an urlencoded form', () => {
  test('is read as URLSearchParams reads it, but for what is empty', () => {
    const piece = fc.oneof(
      fc.constantFrom('&', '=', '+', '%', '%41', '%c3%bc', '%zz', '%4', ' ', 'a', '[]', '%00'),
      fc.string(),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const body = pieces.join('').toWellFormed()
        // What begins with a question mark is a query there.
        const expected = [...new URLSearchParams(`&${body}`)]
        const isNothing = ([name, value]: [string, string]): boolean => name === '' && value === ''
        expect(textsOf(body).filter((pair) => !isNothing(pair))).toEqual(
          expected.filter((pair) => !isNothing(pair)),
        )
      }),
      { numRuns: 2000 },
    )
  })

  test('keeps bytes that are no UTF-8', () => {
    const [[, value] = ['', Buffer.alloc(0)]] = urlEncodedPairs(Buffer.from('a=%fc%E4%81+x'), 10)
    expect([...value]).toEqual([0xfc, 0xe4, 0x81, 0x20, 0x78])
  })

  test('of more pairs than allowed is not read on', () => {
    expect(urlEncodedPairs(Buffer.from('a&b'), 2)).toHaveLength(2)
    expect(() => urlEncodedPairs(Buffer.from('a&b&c'), 2)).toThrow(TooManyPairsError)
  })
})
