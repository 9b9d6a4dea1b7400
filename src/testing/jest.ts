// So that it is found wherever this is.
// oxlint-disable-next-line unicorn/require-module-specifiers
import type {} from 'expect'
import type { MailMatchers } from './matchers.js'

export { mailMatchers } from './matchers.js'
export type * from './matchers.js'

declare module 'expect' {
  // The name has to be that of theirs.
  // oxlint-disable-next-line no-unused-vars
  interface Matchers<R extends void | Promise<void>, T = unknown> extends MailMatchers<T> {}
}

declare global {
  // Of `@types/jest`, where that is used.
  namespace jest {
    // oxlint-disable-next-line no-unused-vars
    interface Matchers<R, T> extends MailMatchers<T> {}
  }
}
