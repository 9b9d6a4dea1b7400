// node build/release-notes.mjs v1.2.3
//
// Prints what CHANGELOG.md says of a version, for its release. It refuses where the tag, the version in
// package.json and the heading are not the same, and where npm would refuse the provenance.
import { readFileSync } from 'node:fs'

const [tag = ''] = process.argv.slice(2)
/** @type {{ version: string, repository?: unknown }} */
const { version, repository } = JSON.parse(readFileSync('package.json', 'utf8'))
const [, ...sections] = readFileSync('CHANGELOG.md', 'utf8').split(/^## /m)
const section = sections.find((text) => text.startsWith(`[${version}] - `))
const [heading = '', ...lines] = section?.split('\n') ?? []
const notes = lines.join('\n').trim()

const faults = [
  tag !== `v${version}` &&
    `the tag is ${tag || 'missing'}, and the version in package.json ${version}`,
  !/^\[[^\]]+\] - \d{4}-\d{2}-\d{2}$/.test(heading) &&
    `CHANGELOG.md has no heading ## [${version}] - YYYY-MM-DD`,
  section !== undefined && notes === '' && `CHANGELOG.md says nothing under ## ${heading}`,
  repository === undefined && 'package.json has no repository, which provenance is bound to',
].filter((fault) => fault !== false)

for (const fault of faults) console.error(fault)
if (faults.length > 0) process.exitCode = 1
else console.log(notes)
