import { describe, expect, jest, test } from '@jest/globals'
import { simulatedEventTypes, type SimulatedEventType } from '../../src/simulator.js'
import { providerContract, type ProviderUnderTest } from '../../src/testing/index.js'
import { broken } from './broken-providers.js'
import { builtInProviders, sendgrid } from './built-in-providers.js'

// A listener of `sent` that throws is told as a warning.
jest.spyOn(process, 'emitWarning').mockImplementation(() => {})

describe.each(builtInProviders)('$provider', (subject) => {
  test.each(providerContract(subject))('$name', ({ run }) => run())
})

/** A provider of which no more events are written yet. */
const beginning = (written: readonly SimulatedEventType[]): ProviderUnderTest => ({
  ...sendgrid,
  untold: [
    ...simulatedEventTypes.filter((type) => !written.includes(type)),
    'soft bounce',
    'later bounce',
  ],
  open(url) {
    const parts = sendgrid.open(url)
    return {
      ...parts,
      simulator: {
        ...parts.simulator,
        entry(message, event, at) {
          if (!written.includes(event.type)) throw new Error(`${event.type} is not written yet`)
          return parts.simulator.entry(message, event, at)
        },
      },
    }
  },
})

describe('a provider can be written event by event, from delivered and bounced on', () => {
  test.each(providerContract(beginning(['delivered', 'bounced'])))('$name', ({ run }) => run())
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

test.each([
  [{ untold: ['accepted'] }, /accepted comes/, 1],
  [{ untold: ['deferred', 'clicked'] }, /(?:deferred|clicked) comes|a deferral|a click/, 4],
  [{ untold: ['bounced'] }, /bounced comes|bounce/, 4],
  [{ untold: ['soft bounce', 'later bounce'] }, /a soft bounce|after delivery/, 2],
  [{ provesSenderAlone: true }, /says something else now/, 1],
] as const)('what a provider cannot do is no case: %j', (lacking, pattern, count) => {
  const all = providerContract(sendgrid).map(({ name }) => name)
  const names = providerContract({ ...sendgrid, ...lacking }).map(({ name }) => name)
  expect(all.filter((name) => pattern.test(name))).toHaveLength(count)
  expect(all.filter((name) => !names.includes(name))).toHaveLength(count)
  expect(names.filter((name) => pattern.test(name))).toEqual([])
})
