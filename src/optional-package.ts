import { messageOf } from './errors.js'
import { fields } from './payload.js'

/**
 * Loads an optional package when it is first needed. A missing one is told with the command that
 * installs it.
 *
 * @param pick what is needed of the module; undefined when it is not there
 * @param failure makes the error of what went wrong
 */
export function optionalPackage<Needed>(
  name: string,
  load: () => Promise<unknown>,
  pick: (module: unknown) => Needed | undefined,
  failure: (message: string) => Error,
): () => Promise<Needed> {
  let loading: Promise<Needed> | undefined
  return () => {
    loading ??= load().then(
      (module) => {
        const needed = pick(module)
        if (needed !== undefined) return needed
        throw failure(`this version of ${name} is not known: npm install ${name}`)
      },
      (error: unknown) => {
        throw failure(unavailable(name, error))
      },
    )
    return loading
  }
}

/** What a module exports under a name, whether it is one or CommonJS that was imported as one. */
export function exported(module: unknown, name: string): unknown {
  const direct = member(module, name)
  return direct === undefined ? member(member(module, 'default'), name) : direct
}

function member(value: unknown, name: string): unknown {
  const holds = (typeof value === 'object' && value !== null) || typeof value === 'function'
  return holds ? Reflect.get(value, name) : undefined
}

function unavailable(name: string, error: unknown): string {
  const code = fields(error)['code']
  const missing =
    (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') &&
    messageOf(error).includes(name)
  return missing
    ? `the package ${name} is not installed: npm install ${name}`
    : `the package ${name} could not be loaded: ${messageOf(error)}`
}
