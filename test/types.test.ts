import { describe, expect, test } from '@jest/globals'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { strictOptions } from './strict-options.js'

const root = dirname(__dirname)
const usage = readFileSync(join(__dirname, 'types', 'usage.mts'), 'utf8')

// Inside the package, so that `mailtrail` is found by its own exports, as built.
const workplace = join(root, 'dist', 'type-tests')

const surroundings = {
  'the types of nodemailer 10': {},
  'the types of @types/nodemailer 8': {
    paths: {
      nodemailer: [join(root, 'node_modules', 'nodemailer-types-8')],
      'nodemailer/*': [join(root, 'node_modules', 'nodemailer-types-8', '*')],
    },
  },
  // They are there unless `lib` says otherwise, and declare another `fetch`.
  'the types of browsers': { lib: ['es2023', 'dom', 'dom.iterable'] },
}

describe.each(Object.entries(surroundings))('with %s', (name, options) => {
  test.each(['mts', 'cts'])('the public types hold in a .%s file', (extension) => {
    const source = extension === 'mts' ? usage : commonJs(usage)
    const folder = `${name.replaceAll(/\W+/g, '-')}-${extension}`
    expect(compile(folder, `usage.${extension}`, source, options)).toEqual({
      stdout: '',
      status: 0,
    })
  })
})

/** Compiles a file against the built package, as strictly as a user may. */
function compile(name: string, file: string, source: string, options: object) {
  const folder = join(workplace, name)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, file), source)
  const compilerOptions = {
    ...strictOptions,
    esModuleInterop: true,
    skipLibCheck: false,
    ...options,
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [file] }))
  const compiler = join(root, 'node_modules', '@typescript', 'native', 'bin', 'tsc')
  const { stdout, status } = spawnSync(process.execPath, [compiler, '--project', folder], {
    encoding: 'utf8',
  })
  return { stdout, status }
}

/** CommonJS knows no await outside of a function. */
function commonJs(source: string): string {
  const lines = source.split('\n')
  const end = lines.findLastIndex((line) => /^import |^\} from /.test(line)) + 1
  return [...lines.slice(0, end), 'void (async () => {', ...lines.slice(end), '})()', ''].join('\n')
}
