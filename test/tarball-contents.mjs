// What is in the tarball, and what an install of it weighs and runs.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** @typedef {{ size: number, unpackedSize: number, files: { path: string, size: number }[] }} Packed */

const expected = [
  /^(package\.json|README\.md|LICENSE|CHANGELOG\.md)$/,
  /^dist\/(esm|cjs)\/[\w/-]+\.(js|d\.ts)$/,
  /^dist\/cjs\/package\.json$/,
]
const needed = ['README.md', 'LICENSE', 'CHANGELOG.md', 'package.json', 'dist/cjs/package.json']

/** @param {Packed} packed */
export function checkFiles({ files }) {
  const paths = files.map(({ path }) => path)
  const unexpected = paths.filter((path) => !expected.some((pattern) => pattern.test(path)))
  if (unexpected.length > 0) throw new Error(`it has ${unexpected.join(', ')}`)
  const missing = needed.filter((path) => !paths.includes(path))
  if (missing.length > 0) throw new Error(`it lacks ${missing.join(', ')}`)
}

const megabyte = 1024 * 1024
/** What npm fetches for it, and what lies on the disk then: code twice, as ESM and as CommonJS. */
export const limits = { fetched: megabyte, installed: 4.25 * megabyte }

/**
 * An install without optional packages and peers: it fetches and holds no more than the limits say, and none
 * of it has a script that npm would run.
 *
 * @param {string} folder
 * @param {Packed} packed
 * @param {(packages: string[]) => Promise<Packed[]>} pack What npm says of other packages.
 * @returns {Promise<string>}
 */
export async function checkInstall(folder, packed, pack) {
  const modules = join(folder, 'node_modules')
  /** @type {{ packages: Record<string, { version: string, hasInstallScript?: boolean }> }} */
  const { packages } = JSON.parse(readFileSync(join(modules, '.package-lock.json'), 'utf8'))
  const scripted = Object.keys(packages).filter((path) => packages[path]?.hasInstallScript)
  if (scripted.length > 0) throw new Error(`${scripted.join(', ')} runs a script when installed`)

  const dependencies = Object.entries(packages)
    .map(([path, { version }]) => `${path.replace(/^.*node_modules\//, '')}@${version}`)
    .filter((name) => !name.startsWith('mailtrail@'))
  const all = [packed, ...(await pack(dependencies))]
  const fetched = all.reduce((sum, { size }) => sum + size, 0)
  const installed = readdirSync(modules, { recursive: true, encoding: 'utf8' })
    .map((path) => statSync(join(modules, path)))
    .reduce((sum, stats) => sum + (stats.isFile() ? stats.size : 0), 0)
  const sizes = `${dependencies.length + 1} packages, ${fetched} bytes fetched, ${installed} bytes installed`
  if (fetched > limits.fetched || installed > limits.installed) {
    throw new Error(`${sizes}; the limits are ${limits.fetched} and ${limits.installed}`)
  }
  return sizes
}
