import { messageOf } from './errors.js'

/**
 * Calls somebody else's function: whatever it throws, or rejects with later, is a process warning.
 *
 * @param what it is, for the warning
 */
export function harmlessly(what: string, call: () => unknown): void {
  const warn = (error: unknown): void =>
    process.emitWarning(`${what} failed: ${messageOf(error)}`, 'MailtrailWarning')
  try {
    Promise.resolve(call()).catch(warn)
  } catch (error) {
    warn(error)
  }
}
