// Runs before each test file. Whatever error of ours is made while its tests run is looked at after
// each of them, as a log would write it: the keys that transports and webhooks were given may be
// nowhere in it.
import { inspect } from 'node:util'
import { afterAll, afterEach, jest } from '@jest/globals'
import type * as ourErrors from '../src/errors.js'
import type * as signing from '../src/signing-keys.js'
import type * as transportOptions from '../src/transport-options.js'

const errors = new Set<Error>()
const keys = new Set<string>()

/** What was seen since the last look, and every key so far. */
export function seen(): { errors: readonly Error[]; keys: readonly string[] } {
  return { errors: [...errors], keys: [...keys] }
}

class SeenError extends Error {
  constructor(...given: [message?: string, options?: ErrorOptions]) {
    super(...given)
    errors.add(this)
  }
}

// As mocks, for what the exports of a module are cannot be changed; they are watched in modules that a
// test loads for itself, too.
jest.mock('../src/errors.js', () => {
  const actual = jest.requireActual<typeof ourErrors>('../src/errors.js')
  for (const value of Object.values<unknown>(actual)) {
    // What a class calls as its super is its prototype of that moment.
    if (typeof value === 'function' && Object.getPrototypeOf(value) === Error) {
      Object.setPrototypeOf(value, SeenError)
    }
  }
  return actual
})

jest.mock('../src/transport-options.js', () => {
  const actual = jest.requireActual<typeof transportOptions>('../src/transport-options.js')
  const requiredOption: typeof actual.requiredOption = (transport, option, given, variable) => {
    const value = actual.requiredOption(transport, option, given, variable)
    if (/key$/i.test(option)) keys.add(value)
    return value
  }
  return { ...actual, requiredOption }
})

jest.mock('../src/signing-keys.js', () => {
  const actual = jest.requireActual<typeof signing>('../src/signing-keys.js')
  const note = <Given>(given: Given): Given => {
    for (const key of Array.isArray(given) ? given : [given]) {
      if (typeof key === 'string') keys.add(key.trim())
    }
    return given
  }
  const signingKeys: typeof actual.signingKeys = (option, source, parse) => {
    if (typeof source !== 'function') return actual.signingKeys(option, note(source), parse)
    return actual.signingKeys(option, async () => note(await source()), parse)
  }
  return { ...actual, signingKeys }
})

// What is shorter, or a few words, might stand in any text.
const tellable = /^(?:\S{8,}|.{16,})$/

/** A key as it is, and as the credentials that it is sent in. */
const formsOf = (key: string): string[] => [key, Buffer.from(`api:${key}`).toString('base64')]

/** Everything that a log could write of an error, of its causes and of what it gathers. */
export function renderingsOf(error: unknown, told = new Set<unknown>()): string[] {
  if (error === undefined || told.has(error)) return []
  told.add(error)
  const renderings = [
    orNothing(() => inspect(error, { depth: Infinity, showHidden: true })),
    orNothing(() => JSON.stringify(error)),
    orNothing(() => String(error)),
  ]
  if (typeof error !== 'object' || error === null) return renderings
  renderings.push(orNothing(() => String(Reflect.get(error, 'stack'))))
  const gathered: unknown = Reflect.get(error, 'errors')
  const inner = [Reflect.get(error, 'cause'), ...(Array.isArray(gathered) ? gathered : [])]
  return [...renderings, ...inner.flatMap((each) => renderingsOf(each, told))]
}

/** What cannot be written, as a circle in JSON, cannot be logged so either. */
function orNothing(write: () => string | undefined): string {
  try {
    return write() ?? ''
  } catch {
    return ''
  }
}

/** Those of the keys that an error shows. */
export function keysShownBy(error: Error, candidates: Iterable<string>): string[] {
  const wanted = [...candidates].filter((key) => tellable.test(key))
  if (wanted.length === 0) return []
  const all = renderingsOf(error).join('\n')
  return wanted.filter((key) => formsOf(key).some((form) => all.includes(form)))
}

/** Throws for the errors since the last look that show a key. */
export function lookAtErrors(): void {
  const made = [...errors]
  errors.clear()
  const findings = made.flatMap((error) =>
    keysShownBy(error, keys).map(
      (key) => `${error.name} shows the key ${JSON.stringify(key)}: ${error.message}`,
    ),
  )
  if (findings.length > 0) throw new Error(findings.join('\n'))
}

afterEach(lookAtErrors)
afterAll(lookAtErrors)
