import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parse } from 'yaml'
import { fields } from '../src/payload.js'

const root = dirname(__dirname)
const scripts = fields(
  fields(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')))['scripts'],
)

describe('the notes of a release', () => {
  let folder = ''
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'mailtrail release '))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const repository = 'https://example.com/mailtrail.git'
  const changelog = [
    '# Changelog',
    '## [Unreleased]\n\n### Added\n\n- What is to come.',
    '## [1.2.0] - 2026-11-28\n\n### Fixed\n\n- What was wrong.',
    '## [1.1.0] - 2026-10-01\n\n- What was before.',
    '',
  ].join('\n\n')

  function notes(tag: string[], manifest: object, text = changelog) {
    writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest))
    writeFileSync(join(folder, 'CHANGELOG.md'), text)
    const script = join(root, 'build/release-notes.mjs')
    const { stdout, stderr, status } = spawnSync(process.execPath, [script, ...tag], {
      cwd: folder,
      encoding: 'utf8',
    })
    return { stdout, stderr, status }
  }

  test('are what the changelog says of its version, and nothing else', () => {
    expect(notes(['v1.2.0'], { version: '1.2.0', repository })).toEqual({
      stdout: '### Fixed\n\n- What was wrong.\n',
      stderr: '',
      status: 0,
    })
  })

  test.each([
    [
      'for another tag',
      ['v1.2.1'],
      { version: '1.2.0', repository },
      changelog,
      'the tag is v1.2.1, and the version in package.json 1.2.0',
    ],
    [
      'without a tag',
      [],
      { version: '1.2.0', repository },
      changelog,
      'the tag is missing, and the version in package.json 1.2.0',
    ],
    [
      'for a version that the changelog does not have',
      ['v1.3.0'],
      { version: '1.3.0', repository },
      changelog,
      'CHANGELOG.md has no heading ## [1.3.0] - YYYY-MM-DD',
    ],
    [
      'where the heading has no date',
      ['v1.2.0'],
      { version: '1.2.0', repository },
      changelog.replace('2026-11-28', 'soon'),
      'CHANGELOG.md has no heading ## [1.2.0] - YYYY-MM-DD',
    ],
    [
      'where nothing is said',
      ['v1.2.0'],
      { version: '1.2.0', repository },
      '## [1.2.0] - 2026-11-28\n\n## [1.1.0] - 2026-10-01\n\n- x\n',
      'CHANGELOG.md says nothing under ## [1.2.0] - 2026-11-28',
    ],
    [
      'where npm would refuse the provenance',
      ['v1.2.0'],
      { version: '1.2.0' },
      changelog,
      'package.json has no repository, which provenance is bound to',
    ],
  ])('are refused %s', (_, tag, manifest, text, fault) => {
    expect(notes(tag, manifest, text)).toEqual({ stdout: '', stderr: `${fault}\n`, status: 1 })
  })
})

const workflows = join(root, '.github/workflows')

describe.each(readdirSync(workflows))('the workflow %s', (name) => {
  const text = readFileSync(join(workflows, name), 'utf8')
  const workflow = fields(parse(text))
  const jobs = Object.values(fields(workflow['jobs'])).map(fields)
  const steps = jobs.flatMap(({ steps: each }) => (Array.isArray(each) ? each.map(fields) : []))
  const commands = steps.flatMap(({ run }) => (typeof run === 'string' ? [run] : []))

  test('does something, and may do no more than it needs by default', () => {
    expect(commands.length).toBeGreaterThan(0)
    expect(workflow['permissions']).toEqual({ contents: 'read' })
  })

  test('runs what is there', () => {
    for (const command of commands) {
      const [, script] = /npm run (\S+)/.exec(command) ?? []
      if (script !== undefined) expect(Object.keys(scripts)).toContain(script)
      const [, file] = /(?:^|node )((?:\.ci|build)\/\S+)/.exec(command) ?? []
      if (file !== undefined) expect([file, existsSync(join(root, file))]).toEqual([file, true])
    }
  })

  test('takes actions by the hash of their commit, with the version beside it', () => {
    const used = text.match(/uses: .*/g) ?? []
    const others = used.filter((line) => !/^uses: (\.\/|\S+@[0-9a-f]{40} # v\d)/.test(line))
    expect([used.length > 0, others]).toEqual([true, []])
  })
})

test('only one job can publish, and it runs no code of ours or of a dependency', () => {
  const release = fields(parse(readFileSync(join(workflows, 'release.yml'), 'utf8')))
  const publishing = Object.values(fields(release['jobs']))
    .map(fields)
    .filter(({ permissions }) => fields(permissions)['id-token'] === 'write')
  const steps = publishing.flatMap(({ steps: each }) =>
    Array.isArray(each) ? each.map(fields) : [],
  )
  expect(publishing).toHaveLength(1)
  expect(steps.flatMap(({ run }) => run ?? [])).toEqual([
    expect.stringMatching(/^npm publish \.\/mailtrail-\*\.tgz --provenance --access public$/),
    expect.stringMatching(/^gh release create /),
  ])
})
