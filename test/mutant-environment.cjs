// The environment of tests that look for a change in the code: what one of them has seen the others
// need not look at. Tests of much at once are left out, for they take longer than all others together.
const { TestEnvironment } = require('jest-environment-node')

const muchAtOnce = /^a thousand recipients /

/** @type {string | undefined} The last change that was seen. */
let seen

module.exports = class extends TestEnvironment {
  /** @param {{ name: string, test?: { name: string, mode?: string | null, errors: unknown[] } }} event */
  async handleTestEvent({ name, test }) {
    const change = process.env['__STRYKER_ACTIVE_MUTANT__']
    if (!test) return
    if (name === 'test_start' && muchAtOnce.test(test.name)) test.mode = 'skip'
    if (change === undefined) return
    if (name === 'test_start' && change === seen) test.mode = 'skip'
    if (name === 'test_done' && test.errors.length > 0) seen = change
  }
}
