import { expect, test } from '@jest/globals'
import { ApiKeyError, ConfigurationError } from '../src/errors.js'
import { type KeySource, signingKeys } from '../src/signing-keys.js'

const parse = (text: string): { text: string } => ({ text })

test.each<[string, KeySource]>([
  ['one key', 'a'],
  ['a list', ['a']],
  ['a function', () => ['a']],
  ['an async function', async () => ['a']],
])('%s gives the keys ready for use', async (_, source) => {
  expect(await signingKeys('key', source, parse)()).toEqual([{ text: 'a' }])
})

test.each<[string, unknown]>([
  ['nothing', undefined],
  ['null', null],
  ['an empty text', ''],
  ['white space', '  '],
  ['an empty list', []],
  ['a list with an empty text', ['a', '']],
  ['a number', 5],
  ['a list with a number', [5]],
])('%s is refused at once', (_, source) => {
  expect(() => signingKeys('key', source as KeySource, parse)).toThrow(ConfigurationError)
})

test('a function is asked each time, and a key that stays is parsed once', async () => {
  let given = ['old']
  const keys = signingKeys('key', () => given, parse)
  const [old] = await keys()
  given = ['old', 'new']
  const [kept, added] = await keys()
  expect(kept).toBe(old)
  expect(added).toEqual({ text: 'new' })
  given = []
  await expect(keys()).rejects.toMatchObject({
    name: 'KeySourceError',
    reason: 'no-keys',
    message: expect.stringContaining('key is missing'),
  })
})

test('a key that a function gives no more is forgotten', async () => {
  let given = ['old']
  const keys = signingKeys('key', () => given, parse)
  const [old] = await keys()
  given = ['new']
  await keys()
  given = ['old']
  const [again] = await keys()
  expect(again).toEqual(old)
  expect(again).not.toBe(old)
})

test('a function that gives an API key is told apart', async () => {
  const refuse = (): never => {
    throw new ApiKeyError('it is an API key')
  }
  const keys = signingKeys('key', () => ['SG.abc'], refuse)
  await expect(keys()).rejects.toMatchObject({ name: 'KeySourceError', reason: 'api-key' })
})
