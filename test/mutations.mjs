// npm run test:mutations [-- <group> [<files of it>]]
//
// Changes the code in one small place after another and runs the tests of its group: a change that
// no test sees is a survivor, and stands for a behaviour that nobody holds. Fails where a group has
// less than nine in ten of them seen. Without arguments it looks at every group that needs no server;
// `postgres-…` and `mysql-…` find theirs in the environment that `node test/services.mjs --keep` prints.
// Files may have lines: src/status.ts:90-110. There is no incremental mode: it keeps survivors in what a
// module does as it is loaded, though a new test sees them.
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Stryker } from '@stryker-mutator/core'

/** @typedef {{ mutate: string[], tests: string[] }} Group */

/** @type {(provider: string) => Group} */
const signaturesOf = (provider) => ({
  mutate: [`src/providers/${provider}/{signature,signed-form,verify,webhook-keys}.ts`],
  tests: [`test/providers/${provider}/{signature,signing-key,verify}.test.ts`],
})

/**
 * The parts of a store that need its server: files, and their tests where those are named otherwise.
 *
 * @param {string} server
 * @param {Record<string, [files: string, tests?: string]>} parts
 * @returns {Record<string, Group>}
 */
function partsOf(server, parts) {
  return Object.fromEntries(
    Object.entries(parts).map(([part, [files, tests = files]]) => [
      `${server}-${part}`,
      {
        mutate: [`src/stores/${server}${files}.ts`],
        tests: [
          `test/stores/${server}${tests}.services.ts`,
          `test/stores/{sql-tables,${server}-*}.test.ts`,
        ],
      },
    ]),
  )
}

// Jest loads every test file of a group for every change: a group is as small as its tests allow.
/** @type {Record<string, Group>} */
const groups = {
  matching: { mutate: ['src/matching.ts'], tests: ['test/matching*.test.ts'] },
  status: { mutate: ['src/status.ts'], tests: ['test/status.test.ts'] },
  sendgrid: signaturesOf('sendgrid'),
  mailgun: signaturesOf('mailgun'),
  mandrill: signaturesOf('mandrill'),
  keys: {
    mutate: ['src/{signing-keys,verifiable-request}.ts'],
    tests: ['test/{signing-keys,verifiable-request}.test.ts'],
  },
  memory: { mutate: ['src/stores/memory*.ts'], tests: ['test/stores/memory.test.ts'] },
  sql: {
    mutate: ['src/stores/{sql,sql-*,serialization,progress,driver-errors}.ts'],
    // What only two transactions at once can do is seen by PostgreSQL and MySQL alone.
    tests: ['test/stores/{sql,sqlite,sqlite-forgetting,sqlite-count-totals,driver-errors}.test.ts'],
  },
  sqlite: {
    mutate: ['src/stores/{sqlite*,count-*,migrations}.ts'],
    // That of backups reads a page, and those are not copied.
    tests: ['test/stores/sqlite{,-[c-z]*}.test.ts'],
  },
  // All tests of a server take minutes for every change that no test of its part sees.
  ...partsOf('postgres', {
    counts: ['-count*'],
    find: ['-find'],
    forgetting: ['-forgetting'],
    suppressions: ['-suppressions', '-{suppressions,forgetting}'],
    pruning: ['-{pruning,dropping}', '-{pruning,partitions}'],
    partitions: ['-{partitions,days}', '-partitions'],
    migrations: ['-migrations'],
    transactions: ['-{driver,transaction,locks}', '-{connections,locks,settings,retries}'],
    tables: ['-{tables,statements,values}', '{,-claiming,-locks,-settings}'],
  }),
  ...partsOf('mysql', {
    counts: ['-counts'],
    find: ['-find'],
    forgetting: ['-forgetting'],
    suppressions: ['-suppressions', '-{suppressions,forgetting}'],
    pruning: ['-pruning'],
    migrations: ['-migrations'],
    tables: ['-{tables,telling,lists,messages,driver,transaction}', ''],
  }),
}

const [wanted, ...files] = process.argv.slice(2)
const names = wanted
  ? [wanted]
  : Object.keys(groups).filter((name) => !/^(?:postgres|mysql)-/.test(name))

for (const name of names) {
  const group = groups[name]
  if (!group) throw new Error(`${name} is none of ${Object.keys(groups).join(', ')}`)
  console.log(`\n${name}`)
  const stryker = new Stryker({
    mutate: files.length > 0 ? files : group.mutate,
    testRunner: 'jest',
    jest: {
      enableFindRelatedTests: false,
      config: {
        testMatch: group.tests.map((pattern) => `<rootDir>/${pattern}`),
        // Jest looks at every file in these for every change.
        roots: group.tests.map((pattern) => `<rootDir>/${dirname(pattern)}`),
        watchman: false,
        setupFilesAfterEnv: [],
        testEnvironment: fileURLToPath(new URL('mutant-environment.cjs', import.meta.url)),
      },
    },
    coverageAnalysis: 'perTest',
    plugins: [
      '@stryker-mutator/*',
      fileURLToPath(new URL('mutation-ignored.mjs', import.meta.url)),
    ],
    ignorers: ['statement-names'],
    concurrency: 1,
    // On a busy machine what is slow is not yet endless.
    timeoutMS: 20_000,
    tempDirName: '.stryker/temp',
    // TypeScript 7 has no API by which Stryker could rewrite them, and nothing here needs them.
    ignorePatterns: ['tsconfig.json', 'docs', 'bench', '.stryker'],
    disableTypeChecks: false,
    reporters: ['clear-text', 'progress'],
    clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
    thresholds: { high: 100, low: 95, break: 90 },
  })
  await stryker.runMutationTest()
}
