import { messageOf, SendError } from './errors.js'
import { fields } from './payload.js'

/**
 * Loads a provider's SDK when it is first needed, and gives its default export. It is an optional
 * peer, so a missing one is told with the command that installs it.
 */
export function sdkLoader<Sdk>(
  name: string,
  load: () => Promise<unknown>,
  isSdk: (value: unknown) => value is Sdk,
): () => Promise<Sdk> {
  let loading: Promise<Sdk> | undefined
  return () => {
    loading ??= load().then(
      (module) => {
        const { default: sdk } = fields(module)
        if (isSdk(sdk)) return sdk
        throw configuration(`this version of ${name} is not known: npm install ${name}`)
      },
      (error: unknown) => {
        throw unavailable(name, error)
      },
    )
    return loading
  }
}

function unavailable(name: string, error: unknown): SendError {
  const code = fields(error)['code']
  const missing =
    (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') &&
    messageOf(error).includes(name)
  return configuration(
    missing
      ? `the package ${name} is not installed: npm install ${name}`
      : `the package ${name} could not be loaded: ${messageOf(error)}`,
  )
}

function configuration(message: string): SendError {
  return new SendError(message, {
    category: 'configuration',
    retryable: false,
    outcome: 'not-sent',
  })
}
