// So that it is found wherever this is.
// oxlint-disable-next-line unicorn/require-module-specifiers
import type {} from 'vitest'
import type { MailMatchers } from './matchers.js'

export { mailMatchers } from './matchers.js'
export type * from './matchers.js'

declare module 'vitest' {
  interface Matchers<T> extends MailMatchers<T> {}
}
