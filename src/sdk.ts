import { SendError } from './errors.js'
import { optionalPackage } from './optional-package.js'
import { fields } from './payload.js'

/** Loads a provider's SDK, which is an optional peer, and gives its default export. */
export function sdkLoader<Sdk>(
  name: string,
  load: () => Promise<unknown>,
  isSdk: (value: unknown) => value is Sdk,
): () => Promise<Sdk> {
  return optionalPackage(
    name,
    load,
    (module) => {
      const { default: sdk } = fields(module)
      return isSdk(sdk) ? sdk : undefined
    },
    (message) =>
      new SendError(message, {
        category: 'configuration',
        retryable: false,
        outcome: 'not-sent',
      }),
  )
}
