// The binaries of every supported line of Node, which come from the npm package `node`.
import { spawnSync } from 'node:child_process'
import { dirname } from 'node:path'

export const supportedNodes = ['20', '22', '24']

/** @param {string} line */
export function binaryOf(line) {
  if (process.versions.node.split('.')[0] === line) return process.execPath
  const npx = ['--yes', '--package', `node@${line}`, 'node', '--print', 'process.execPath']
  const { stdout } = spawnSync('npx', npx, { cwd: dirname(import.meta.dirname), encoding: 'utf8' })
  return stdout.trim().split('\n').at(-1) ?? ''
}
