import { afterAll, beforeAll, describe } from '@jest/globals'
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { testInvitations } from './invitations.js'
import { examplesFolder } from './running.js'

const root = dirname(examplesFolder)

describe('the example of NestJS', () => {
  /** Where it is built, with what it imports. */
  let project = ''

  beforeAll(async () => {
    project = mkdtempSync(join(tmpdir(), 'mailtrail nest '))
    writeFileSync(join(project, 'package.json'), '{ "type": "module" }')
    const packages = join(project, 'node_modules')
    mkdirSync(packages)
    symlinkSync(root, join(packages, 'mailtrail'))
    for (const name of ['@nestjs', 'nodemailer', 'reflect-metadata']) {
      symlinkSync(join(root, 'node_modules', name), join(packages, name))
    }
    const built = ['-p', join(examplesFolder, 'nestjs'), '--outDir', join(project, 'dist')]
    await promisify(execFile)(process.execPath, [
      join(root, 'node_modules/@typescript/native/bin/tsc'),
      ...built,
    ])
  }, 60_000)
  afterAll(() => rmSync(project, { recursive: true, force: true }))

  // Nest raises the signal again when its hooks have run.
  testInvitations(() => ({ program: [join(project, 'dist/main.js')], end: 'SIGTERM' }))
})
