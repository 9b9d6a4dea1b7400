import { expect, test } from '@jest/globals'
import { decodeText } from '../src/charset.js'

test.each([
  ['cp850', [0x81, 0x84], 'üä'],
  ['ISO-8859-1', [0xfc, 0xe4], 'üä'],
  ['windows-1252', [0x80, 0x93], '€“'],
  ['shift_jis', [0x93, 0xfa], '日'],
  ['gb18030', [0xd6, 0xd0], '中'],
  ['koi8-r', [0xd0], 'п'],
  ['utf-8', [0xc3, 0xbc], 'ü'],
  ['UTF8', [0xc3, 0xbc], 'ü'],
  [' us-ascii ', [0x61], 'a'],
  // What is not known, or not said.
  ['x-unknown', [0xc3, 0xbc], 'ü'],
  ['x-unknown', [0xfc, 0x80], 'ü€'],
  [undefined, [0xc3, 0xbc], 'ü'],
  [undefined, [0xfc], 'ü'],
  ['', [], ''],
  // What is said, and not so.
  ['utf-8', [0xfc, 0x61], 'üa'],
  ['__proto__', [0xfc], 'ü'],
])('text said to be in %s is read: %j', async (charset, bytes, expected) => {
  expect(await decodeText(Buffer.from(bytes), charset)).toBe(expected)
})
