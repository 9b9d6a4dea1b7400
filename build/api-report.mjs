// npm run api, and with --check a part of npm run check
//
// Writes what every entry offers to api/<entry>.api.md, so that a change of the public face shows in a diff;
// with --check it says which reports are not those of the build, and writes nothing.
import {
  CompilerState,
  Extractor,
  ExtractorConfig,
  ExtractorLogLevel,
} from '@microsoft/api-extractor'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const folder = join(root, 'api')
const manifestFile = join(root, 'package.json')
const check = process.argv.includes('--check')
const { exports: entries } = JSON.parse(readFileSync(manifestFile, 'utf8'))
const scratch = mkdtempSync(join(tmpdir(), 'mailtrail api '))

/** @param {string} entry */
const reportName = (entry) =>
  `${entry === '.' ? 'index' : entry.slice(2).replaceAll('/', '-')}.api.md`

/**
 * @param {string} entry
 * @param {string} types
 */
function configOf(entry, types) {
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2022',
    types: ['node'],
    skipLibCheck: true,
  }
  const quiet = { default: { logLevel: ExtractorLogLevel.None } }
  return ExtractorConfig.prepare({
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath: join(root, types),
      compiler: { overrideTsconfig: { compilerOptions, files: [types] } },
      apiReport: {
        enabled: true,
        reportFileName: reportName(entry),
        reportFolder: folder,
        reportTempFolder: scratch,
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        compilerMessageReporting: quiet,
        extractorMessageReporting: quiet,
        tsdocMessageReporting: quiet,
      },
      newlineKind: 'lf',
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: manifestFile,
  })
}

const configs = Object.entries(entries)
  .filter(([, conditions]) => typeof conditions !== 'string')
  .map(
    ([
      entry,
      {
        import: { types },
      },
    ]) => configOf(entry, types),
  )
const [first] = configs
if (!first) throw new Error('package.json has no exports')
// One program for all: they share most of their files.
const compilerState = CompilerState.create(first, {
  additionalEntryPoints: configs.map((config) => config.mainEntryPointFilePath),
})

/** @type {string[]} */
const wrong = []
for (const config of configs) {
  const { apiReportChanged } = Extractor.invoke(config, {
    compilerState,
    localBuild: !check,
    messageCallback: (message) => void (message.handled = true),
  })
  if (apiReportChanged) wrong.push(config.reportFilePath)
}
const expected = new Set(configs.map((config) => config.reportFilePath))
for (const name of readdirSync(folder)) {
  const path = join(folder, name)
  if (expected.has(path)) continue
  if (check) wrong.push(path)
  else rmSync(path)
}
rmSync(scratch, { recursive: true })

if (check && wrong.length > 0) {
  console.error(`The public face is not what these say:\n${wrong.join('\n')}`)
  console.error('Where that is meant, write them with: npm run api')
  process.exitCode = 1
}
