// What it costs to import an entry, in a process of its own, and which SDKs come with it.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { median } from './processes.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const { exports: entries } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'))
const sdks = ['@sendgrid/mail', 'mailgun.js', '@mailchimp/mailchimp_transactional']

const importing = (file) => `
  const before = process.memoryUsage.rss()
  const began = performance.now()
  require(${JSON.stringify(file)})
  const took = performance.now() - began
  const loaded = Object.keys(require.cache)
  console.log(JSON.stringify({ took, memory: process.memoryUsage.rss() - before, loaded }))
`

/** @param {number} rounds */
export function measureStart(rounds) {
  return Object.entries(entries).flatMap(([entry, { require: conditions }]) => {
    if (!conditions) return []
    const runs = Array.from({ length: rounds }, () =>
      JSON.parse(
        execFileSync(process.execPath, ['-e', importing(conditions.default)], {
          cwd: root,
          encoding: 'utf8',
        }),
      ),
    )
    const { loaded } = runs[0]
    return {
      entry: entry.replace(/^\./, 'mailtrail'),
      ms: Number(median(runs.map(({ took }) => took)).toFixed(1)),
      MB: Number(median(runs.map(({ memory }) => memory / 1e6)).toFixed(1)),
      SDKs: sdks.filter((sdk) => loaded.some((file) => file.includes(`/${sdk}/`))).join(' '),
    }
  })
}
