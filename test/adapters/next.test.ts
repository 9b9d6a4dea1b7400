import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { testInvitations } from '../examples/invitations.js'
import { examplesFolder } from '../examples/running.js'
import {
  found,
  type Host,
  serverKeys,
  serversFolder,
  startServer,
  testHost,
  testReadBefore,
} from './hosts.js'

const root = dirname(dirname(__dirname))
const next = join(root, 'node_modules/next/dist/bin/next')
// Ten seconds on an idle machine, and minutes on one that does much else.
const buildTimeout = 180_000

/** A project outside of this one, which Next writes into. */
let project = ''
let host: Host

beforeAll(async () => {
  project = mkdtempSync(join(tmpdir(), 'mailtrail-next-'))
  cpSync(serversFolder, project, { recursive: true })
  // The example is built with the rest, which takes half of the time: its folders are parts of a path here.
  cpSync(join(examplesFolder, 'next'), join(project, 'next/app/example'), { recursive: true })
  const packages = join(project, 'node_modules')
  mkdirSync(packages)
  for (const name of ['next', 'react', 'react-dom', 'nodemailer']) {
    symlinkSync(join(root, 'node_modules', name), join(packages, name))
  }
  symlinkSync(root, join(packages, 'mailtrail'))
  host = { program: [next, 'start', '-p', '0', '-H', '127.0.0.1'], folder: join(project, 'next') }
  await promisify(execFile)(process.execPath, [next, 'build'], {
    cwd: host.folder,
    env: {
      ...process.env,
      ...serverKeys,
      // Those of the example.
      SENDGRID_API_KEY: 'SG.x',
      SENDGRID_WEBHOOK_PUBLIC_KEY: serverKeys.SENDGRID_PUBLIC_KEY,
      NODE_ENV: 'production',
      NEXT_TELEMETRY_DISABLED: '1',
    },
  })
}, buildTimeout)
afterAll(() => rmSync(project, { recursive: true, force: true }))

describe.each([
  ['on its own', ''],
  // It reads the body, and puts another in its place.
  ['behind a proxy.js', '/proxied'],
])('Next %s', (_, proxied) => {
  describe('with the app router', () => {
    // Where it is not told it does not know who calls.
    const tellsAddress = proxied !== ''
    testHost(async () => ({ ...host, mount: proxied || '/webhooks', tellsAddress }))
  })

  describe('with the pages API', () => {
    testHost(async () => ({ ...host, mount: `/api${proxied || '/webhooks'}` }))
  })
})

test('Next has a correlator for each of its routers', async () => {
  const server = await startServer(host)
  try {
    const modules = new Set<unknown>()
    for (const [index, path] of ['/webhooks', '/webhooks', '/api/webhooks'].entries()) {
      await fetch(`${server.url}${path}/echo?n=${index}`, { method: 'POST', body: 'x' })
      const { metadata } = await found(server.told, ({ metadata: { target = '' } }) =>
        target.includes(`n=${index}`),
      )
      modules.add(metadata['module'])
    }
    expect(modules.size).toBe(2)
  } finally {
    server.stop()
  }
}, 20_000)

describe('Next with the pages API', () => {
  testReadBefore(
    async () => ({ ...host, mount: '/api/parsed' }),
    'export const config = { api: { bodyParser: false } }',
  )
})

describe('the example of Next', () => {
  testInvitations(() => ({
    program: [next, 'start', join(project, 'next'), '-p', '0'],
    environment: { ...serverKeys, NEXT_TELEMETRY_DISABLED: '1' },
    below: '/example/app',
    end: 143,
  }))
})
