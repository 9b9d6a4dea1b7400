import { describe, expect, test } from '@jest/globals'
import { inspect } from 'node:util'
import { ConfigurationError } from '../../src/errors.js'
import { codeOf, connectionError, plainError } from '../../src/stores/driver-errors.js'

const thrown = (message: string, rest: object): Error => Object.assign(new Error(message), rest)

describe('what an error of a driver says', () => {
  test('is its message and its code, and nothing else that is in it', () => {
    const rest = { code: '23505', detail: 'Key (ann@example.com)', config: { password: 'secret' } }
    const plain = plainError(thrown('duplicate key', rest))
    expect(plain).toMatchObject({ message: 'duplicate key', code: '23505' })
    expect(inspect(plain)).not.toMatch(/ann@|secret/)
  })

  test('is that of the first address of a host with several, where it says nothing itself', () => {
    const errors = [new Error('connect ECONNREFUSED ::1:5432'), new Error('another')]
    const plain = plainError(
      Object.assign(new AggregateError(errors, ''), { code: 'ECONNREFUSED' }),
    )
    expect(plain).toMatchObject({ message: 'connect ECONNREFUSED ::1:5432', code: 'ECONNREFUSED' })
  })

  test('is its code where there is nothing else', () => {
    expect(plainError(thrown('', { code: 'ETIMEDOUT' })).message).toBe('ETIMEDOUT')
    expect(plainError(thrown('', { code: 'ETIMEDOUT', errors: [] })).message).toBe('ETIMEDOUT')
  })

  test('has no code where there is none, or what is no text', () => {
    expect(plainError(new Error('gone'))).not.toHaveProperty('code')
    expect(codeOf(thrown('gone', { code: 7 }))).toBeUndefined()
    expect(codeOf(undefined)).toBeUndefined()
  })
})

describe('where there is no connection', () => {
  const told = (error: unknown) => connectionError('someStore', error, /^28/)

  test('the store says so, with the code', () => {
    const error = told(thrown('connect ECONNREFUSED', { code: 'ECONNREFUSED' }))
    expect(error).not.toBeInstanceOf(ConfigurationError)
    expect(error).toMatchObject({
      message: 'someStore cannot connect: connect ECONNREFUSED',
      code: 'ECONNREFUSED',
    })
  })

  test.each([
    ['it is a matter of configuration where trying again does not help', { code: '28P01' }, true],
    ['it is none where the server may come back', { code: '57P03' }, false],
    ['it is none where nothing is known', {}, false],
  ])('%s', (_, rest, ofConfiguration) => {
    const error = told(thrown('no', rest))
    expect(error instanceof ConfigurationError).toBe(ofConfiguration)
    expect(error.message).toBe('someStore cannot connect: no')
  })
})
