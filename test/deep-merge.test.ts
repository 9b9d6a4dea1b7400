import { describe, expect, test } from '@jest/globals'
import { mergedDeep } from '../src/deep-merge.js'

const bytes = Buffer.from('x')
const date = new Date(0)

describe('an object merged into another', () => {
  test.each([
    ['adds fields', { a: 1 }, { b: 2 }, { a: 1, b: 2 }],
    ['goes before it', { a: 1 }, { a: 2 }, { a: 2 }],
    [
      'merges objects field by field',
      { a: { b: 1, c: 1 } },
      { a: { c: 2 } },
      { a: { b: 1, c: 2 } },
    ],
    ['replaces lists as a whole', { a: [1, 2] }, { a: [3] }, { a: [3] }],
    ['replaces what is no object', { a: 1 }, { a: { b: 2 } }, { a: { b: 2 } }],
    [
      'keeps what is false or empty',
      { a: true },
      { a: false, b: '', c: null },
      { a: false, b: '', c: null },
    ],
    ['leaves alone what it has as undefined', { a: 1, b: 1 }, { a: undefined }, { a: 1, b: 1 }],
    ['replaces things with a life of their own', { a: { b: 1 } }, { a: bytes }, { a: bytes }],
    ['nor merges into them', { a: date }, { a: { b: 1 } }, { a: { b: 1 } }],
  ])('%s', (_, base, other, expected) => {
    const before = structuredClone({ base, other })
    expect(mergedDeep(base, other)).toEqual(expected)
    expect({ base, other }).toEqual(before)
  })

  test('changes no prototype', () => {
    const hostile: Record<string, unknown> = JSON.parse('{"__proto__":{"polluted":true}}')
    const merged = mergedDeep({}, hostile)
    expect(Reflect.get(merged, 'polluted')).toBeUndefined()
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  })
})
