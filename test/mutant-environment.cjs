// The environment of tests that look for a change in the code: what one of them has seen the others
// need not look at.
const { TestEnvironment } = require('jest-environment-node')

/** @type {string | undefined} The last change that was seen. */
let seen

module.exports = class extends TestEnvironment {
  /** @param {{ name: string, test?: { mode?: string | null, errors: unknown[] } }} event */
  async handleTestEvent({ name, test }) {
    const change = process.env['__STRYKER_ACTIVE_MUTANT__']
    if (!test || change === undefined) return
    if (name === 'test_start' && change === seen) test.mode = 'skip'
    if (name === 'test_done' && test.errors.length > 0) seen = change
  }
}
