import { describe, test } from '@jest/globals'
import { providerContract } from '../../src/testing/index.js'
import { builtInProviders } from './built-in-providers.js'

describe.each(builtInProviders)('$provider', (subject) => {
  test.each(providerContract(subject))('$name', ({ run }) => run())
})
