// Part of the build: deletes from dist what nobody can reach who installs the package. Those are the
// declarations of inner modules that no public type speaks of, and the command line as CommonJS.
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import ts from 'typescript'

const root = join(import.meta.dirname, '..')
const { bin, exports: entries } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** @type {Set<string>} */
const reached = new Set()

/** @param {string} file */
function reach(file) {
  if (reached.has(file)) return
  reached.add(file)
  const declares = file.endsWith('.d.ts')
  const { importedFiles } = ts.preProcessFile(readFileSync(file, 'utf8'), true, !declares)
  for (const { fileName } of importedFiles) {
    if (!fileName.startsWith('.')) continue
    const target = join(dirname(file), fileName)
    reach(declares ? target.replace(/\.js$/, '.d.ts') : target)
  }
}

for (const path of Object.values(bin)) reach(join(root, path))
for (const conditions of Object.values(entries)) {
  if (typeof conditions === 'string') continue
  for (const { types, default: code } of Object.values(conditions)) {
    reach(join(root, types))
    reach(join(root, code))
  }
}

for (const format of ['esm', 'cjs']) {
  const folder = join(root, 'dist', format)
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const file = join(folder, path)
    if (/\.(js|d\.ts)$/.test(path) && !reached.has(file)) rmSync(file)
  }
}
