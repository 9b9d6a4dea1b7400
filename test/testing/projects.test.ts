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

const root = dirname(dirname(__dirname))
const modules = join(root, 'node_modules')

const example = join(root, 'examples', 'sign-up')
const document = readFileSync(join(root, 'docs', 'testing.md'), 'utf8')
const exampleTest = readFileSync(join(example, 'sign-up.test.ts'), 'utf8')

/** What the document says to write in place of two lines of the example. */
const linesForJest = document.match(
  /^import .* from '(?:mailtrail\/testing\/jest|@jest\/globals)'$/gm,
)

function testFor(runner: (typeof runners)[number]): string {
  if (runner === 'vitest') return exampleTest
  const [matchers = '', globals = ''] = linesForJest ?? []
  return exampleTest
    .replace(/^import .* from 'mailtrail\/testing\/vitest'$/m, matchers)
    .replace(/^import .* from 'vitest'$/m, globals)
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
    writeFileSync(join(project, 'sign-up.test.ts'), testFor(runner))
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
      target: 'es2022',
      module: 'nodenext',
      lib: ['es2023'],
      types: ['node'],
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
      noEmit: true,
    }
    const files = ['types.ts', 'clock.test.ts', 'sign-up.test.ts']
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
    expect(run(join(modules, 'typescript/bin/tsc'), project)).toEqual({ output: '', status: 0 })
  }, 60_000)
})

test('the document has the example as it is run', () => {
  expect(document).toContain(readFileSync(join(example, 'sign-up.ts'), 'utf8'))
  expect(document).toContain(exampleTest)
})
