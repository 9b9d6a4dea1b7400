import { describe, expect, jest, test } from '@jest/globals'
import { providerContract } from '../../src/testing/index.js'
import { broken } from './broken-providers.js'
import { builtInProviders, sendgrid } from './built-in-providers.js'

// A listener of `sent` that throws is told as a warning.
jest.spyOn(process, 'emitWarning').mockImplementation(() => {})

describe.each(builtInProviders)('$provider', (subject) => {
  test.each(providerContract(subject))('$name', ({ run }) => run())
})

const noticing = Object.entries(broken).flatMap(([name, { subject, noticedBy, failure }]) =>
  providerContract(subject)
    .filter((check) => noticedBy.some((pattern) => pattern.test(check.name)))
    .map((check) => [name, check.name, check.run, failure] as const),
)

describe('that', () => {
  test.each(noticing)('%s is noticed by: %s', async (_name, _case, run, failure) => {
    await expect(run()).rejects.toMatchObject(
      failure === undefined
        ? { code: 'ERR_ASSERTION' }
        : { message: expect.stringContaining(failure) },
    )
  })

  test('something can be wrong is known of every case', () => {
    const cases = providerContract(sendgrid).map(({ name }) => name)
    const noticed = new Set<string>(noticing.map(([, name]) => name))
    expect(cases.filter((name) => !noticed.has(name))).toEqual([])
  })
})

test('what a provider does not tell is no case', () => {
  const untold = ['accepted', 'deferred', 'clicked'] as const
  const names = providerContract({ ...sendgrid, untold }).map(({ name }) => name)
  expect(names.filter((name) => /accepted comes|deferral|a click/.test(name))).toEqual([])
  expect(names).toContain('an event delivered comes out right')
})

test('what a request says may change where nothing is signed', () => {
  const namesOf = (subject: typeof sendgrid) => providerContract(subject).map(({ name }) => name)
  const changed =
    'a request that came before and says something else now is refused, and changes nothing'
  expect(namesOf(sendgrid)).toContain(changed)
  expect(namesOf({ ...sendgrid, unsigned: true })).not.toContain(changed)
})

test('who cannot tell late bounces must not say that one is late', async () => {
  const cases = providerContract({ ...sendgrid, untold: ['asynchronous'] })
  const later = cases.find(({ name }) => name.startsWith('a bounce that comes after delivery'))
  await expect(later?.run()).rejects.toMatchObject({ code: 'ERR_ASSERTION' })
})
