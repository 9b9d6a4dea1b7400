import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { strictOptions } from '../strict-options.js'

const root = dirname(dirname(__dirname))
const modules = join(root, 'node_modules')

const example = join(root, 'examples', 'sign-up')
const document = readFileSync(join(root, 'docs', 'testing.md'), 'utf8')
const exampleTest = readFileSync(join(example, 'sign-up.test.ts'), 'utf8')

/** What is written for vitest, as it is for jest: the document names the lines that differ. */
function writtenFor(runner: (typeof runners)[number], text: string): string {
  if (runner === 'vitest') return text
  return text
    .replace("'mailtrail/testing/vitest'", "'mailtrail/testing/jest'")
    .replace("'vitest'", "'@jest/globals'")
    .replace('vi as timers', 'jest as timers')
}

/** What users have of their own; the package itself comes out of its tarball. */
let folder = ''
const runners = ['jest', 'vitest'] as const

function run(program: string, cwd: string, ...options: string[]) {
  // What this runner has set is not for the other one.
  const { NODE_OPTIONS: _, JEST_WORKER_ID: _id, NODE_ENV: _env, ...env } = process.env
  const { stdout, stderr, status } = spawnSync(process.execPath, [program, ...options], {
    cwd,
    encoding: 'utf8',
    env: { ...env, CI: '1', NO_COLOR: '1' },
  })
  return { output: stdout + stderr, status }
}

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'mailtrail-projects-')))
  const packed = spawnSync(
    'npm',
    ['pack', '--ignore-scripts', '--json', '--pack-destination', folder],
    {
      cwd: root,
      encoding: 'utf8',
    },
  )
  const [{ filename }] = JSON.parse(packed.stdout)
  spawnSync('tar', ['-xzf', filename], { cwd: folder })
  for (const runner of runners) {
    const project = join(folder, runner)
    cpSync(join(__dirname, 'projects', runner), project, { recursive: true })
    cpSync(join(example, 'sign-up.ts'), join(project, 'sign-up.ts'))
    writeFileSync(join(project, 'sign-up.test.ts'), writtenFor(runner, exampleTest))
    for (const name of ['clock.test.ts', 'types.ts']) {
      const text = readFileSync(join(__dirname, 'projects', name), 'utf8')
      writeFileSync(join(project, name), writtenFor(runner, text))
    }
    const own = join(project, 'node_modules')
    mkdirSync(own)
    for (const name of readdirSync(modules)) symlinkSync(join(modules, name), join(own, name))
    // A copy, for what is linked would find other packages than those of the project.
    cpSync(join(folder, 'package'), join(own, 'mailtrail'), { recursive: true })
    writeFileSync(join(project, 'package.json'), '{ "type": "module" }')
  }
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const programs = {
  jest: ['jest/bin/jest.js', '--config', 'jest.config.json'],
  vitest: ['vitest/vitest.mjs', 'run'],
} as const

describe.each(runners)('in a project of %s', (runner) => {
  test('an app is tested with the packed kit', () => {
    const [program, ...options] = programs[runner]
    const { output, status } = run(join(modules, program), join(folder, runner), ...options)
    expect([status, output]).toEqual([0, expect.stringMatching(/Tests:?\s+6 passed/)])
  }, 120_000)

  test('the matchers are typed, with the types of all packages looked at', () => {
    const project = join(folder, runner)
    const compilerOptions = {
      ...strictOptions,
      skipLibCheck: false,
    }
    const files = ['types.ts', 'clock.test.ts', 'sign-up.test.ts']
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
    expect(run(join(modules, '@typescript/native/bin/tsc'), project)).toEqual({
      output: '',
      status: 0,
    })
  }, 60_000)
})

test('the document has the example as it is run, and the lines of it that differ for jest', () => {
  // Without what its head says of the document.
  const app = readFileSync(join(example, 'sign-up.ts'), 'utf8').replace(/^(?:\/\/.*\n)+/, '')
  expect(document).toContain(app)
  expect(document).toContain(exampleTest)
  const configuration = readFileSync(join(__dirname, 'projects/jest/jest.config.json'), 'utf8')
  expect(document).toContain(`\`\`\`json\n${configuration}\`\`\``)
  const lines = exampleTest.split('\n')
  const differing = writtenFor('jest', exampleTest)
    .split('\n')
    .filter((line, index) => line !== lines[index])
  expect(differing).toHaveLength(2)
  expect(document).toContain(
    `With jest two lines differ:\n\n\`\`\`ts\n${differing.join('\n')}\n\`\`\``,
  )
})
