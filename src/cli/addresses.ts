import { UsageError } from '../errors.js'

/** @throws UsageError for what is no address */
export function addressNamed(written: string): string {
  if (written.includes('@')) return written
  throw new UsageError(`${written} is no address`)
}
