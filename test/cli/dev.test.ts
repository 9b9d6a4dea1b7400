import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { createCorrelator, memoryStore } from '../../src/index.js'
import { mailgunTransport, mailgunWebhook } from '../../src/providers/mailgun/index.js'
import { mandrillTransport, mandrillWebhook } from '../../src/providers/mandrill/index.js'
import { sendgridTransport, sendgridWebhook } from '../../src/providers/sendgrid/index.js'
import nodemailer from 'nodemailer'
import { newFolder, program, root, type RunningCommand, run, start } from './running.js'
import { listening } from './setup.js'

// Each command is a process that has to start.
jest.setTimeout(60_000)

let folder = ''
let remove = (): void => {}
const running: RunningCommand[] = []

beforeEach(() => {
  const made = newFolder()
  folder = made.folder
  remove = made.remove
})
afterEach(async () => {
  for (const command of running.splice(0)) {
    command.signal('SIGKILL')
    await command.ended
  }
  remove()
})

function startDev(...words: string[]): RunningCommand {
  const command = start(['dev', '--port', '0', ...words], { folder })
  running.push(command)
  return command
}

/** The variables that were printed to be copied. */
function exported(output: string): Record<string, string> {
  const lines = [...output.matchAll(/^ {4}export (\w+)='([^']*)'$/gm)]
  return Object.fromEntries(lines.map(([, name = '', value = '']) => [name, value]))
}

test('whoever has read nothing gets from the bare command to a delivered message by what is printed', async () => {
  // What npx would find.
  const bin = join(folder, 'node_modules', '.bin')
  mkdirSync(bin, { recursive: true })
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  expect(join(root, manifest.bin.mailtrail)).toBe(program())
  chmodSync(program(), 0o755)
  symlinkSync(program(), join(bin, 'mailtrail'))
  const { stdout: help } = spawnSync('npx', ['--no-install', 'mailtrail'], {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HOME: folder },
  })
  const [, next = ''] = /Begin with:\n {2}\$ mailtrail (\w+)/.exec(help) ?? []
  expect(next).toBe('dev')

  const sandbox = start([next, '--port', '0'], { folder })
  running.push(sandbox)
  await sandbox.wrote(/ {2}q {2}end\n/)
  const printed = sandbox.stdout()
  const steps = printed.split(/^\d\. .*$/m).slice(1)
  expect(steps).toHaveLength(3)
  const [, programText = '', commands = ''] = steps.map((step) =>
    [...step.matchAll(/^ {4}(.*)$/gm)].map(([, line = '']) => line).join('\n'),
  )
  const [, file = ''] = /a whole program, ([\w.]+):/.exec(printed) ?? []
  writeFileSync(join(folder, file), programText)
  const [install = '', ...rest] = commands.split('\n')
  const [npm, verb, ...packages] = install.split(' ')
  expect([npm, verb]).toEqual(['npm', 'install'])
  // Installed by hand, for these are no registry's.
  for (const name of packages) {
    const target = join(folder, 'node_modules', name)
    mkdirSync(join(target, '..'), { recursive: true })
    symlinkSync(name === 'mailtrail' ? root : join(root, 'node_modules', name), target)
  }
  const script = [...printed.matchAll(/^ {4}(export .*)$/gm)].map(([, line]) => line)
  const sent = spawnSync('sh', ['-e'], {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HOME: folder },
    input: [...script, ...rest].join('\n'),
  })
  expect(sent.stderr).toBe('')
  const [, trackingId = ''] = /^202 Accepted ([\da-f-]{36})$/m.exec(sent.stdout) ?? []
  await sandbox.wrote(/SendGrid {2}message +“Hello” to ann@example\.com/)
  await sandbox.wrote(/SendGrid {2}delivered +ann@example\.com {2}“Hello” {2}matched by own-id/)

  sandbox.write('b')
  await sandbox.wrote(/SendGrid {2}bounced +ann@example\.com {2}“Hello” {2}matched by own-id/)
  sandbox.write('click')
  await sandbox.wrote(/SendGrid {2}clicked/)
  sandbox.write('nonsense')
  await sandbox.wrote(/the last message, by key or line: b bounces/)
  sandbox.write('q')
  expect(await sandbox.ended).toMatchObject({ code: 0, stderr: '' })
  expect(trackingId).not.toBe('')
})

describe('the sandbox', () => {
  test('has the same keys with every start, which nobody else may read', async () => {
    const first = startDev()
    await first.wrote(/ {2}q {2}end\n/)
    first.signal('SIGTERM')
    expect((await first.ended).code).toBe(0)
    const second = startDev()
    await second.wrote(/ {2}q {2}end\n/)
    const {
      SENDGRID_URL: _one,
      MAILGUN_URL: _two,
      MANDRILL_URL: _three,
      ...keys
    } = exported(first.stdout())
    const { MANDRILL_WEBHOOK_URL: _url, ...same } = keys
    expect(exported(second.stdout())).toMatchObject(same)
    expect(statSync(join(folder, '.config/mailtrail/sandbox.json')).mode & 0o777).toBe(0o600)
  })

  test('has them below XDG_CONFIG_HOME where that is set', async () => {
    const env = { XDG_CONFIG_HOME: join(folder, 'xdg') }
    const words = ['trigger', 'mailgun', 'delivered', '--to', 'http://127.0.0.1:9/']
    expect((await run(words, { folder, env })).code).toBe(1)
    expect(existsSync(join(folder, 'xdg/mailtrail/sandbox.json'))).toBe(true)
    expect(existsSync(join(folder, '.config'))).toBe(false)
  })

  test('has its handler at the port, and the providers at the three after it', async () => {
    for (let tries = 1; ; tries += 1) {
      const { server, url } = await listening(() => {})
      await new Promise((resolve) => server.close(resolve))
      const port = Number(new URL(url).port)
      const sandbox = startDev('--port', String(port))
      try {
        await sandbox.wrote(/ {2}q {2}end\n/)
      } catch (error) {
        // One of the four was somebody else's.
        if (tries < 10 && sandbox.stderr().includes('is taken')) continue
        throw error
      }
      const printed = exported(sandbox.stdout())
      const urls = [printed['SENDGRID_URL'], printed['MAILGUN_URL'], printed['MANDRILL_URL']]
      expect(urls).toEqual([1, 2, 3].map((more) => `http://127.0.0.1:${port + more}`))
      expect((await fetch(`http://127.0.0.1:${port}/webhooks/mandrill`)).status).toBe(200)
      return
    }
  })

  test('says before a message that there is none', async () => {
    const sandbox = startDev()
    await sandbox.wrote(/ {2}q {2}end\n/)
    sandbox.write('bounce')
    await sandbox.wrote(/no message has come yet/)
  })

  test('posts the events of every provider to the application, and tells what it answers', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : 0
    const sandbox = startDev('--to', `http://127.0.0.1:${port}/hooks`, '--json')
    await sandbox.wrote(/"ready".*\n/)
    const { environment } = JSON.parse(sandbox.stdout().split('\n')[0] ?? '')
    const correlator = createCorrelator({
      store: memoryStore(),
      webhooks: [
        sendgridWebhook({ publicKey: environment.SENDGRID_WEBHOOK_PUBLIC_KEY }),
        mailgunWebhook({ signingKey: environment.MAILGUN_WEBHOOK_SIGNING_KEY }),
        mandrillWebhook({
          key: environment.MANDRILL_WEBHOOK_KEY,
          url: environment.MANDRILL_WEBHOOK_URL,
        }),
      ],
    })
    server.on('request', correlator.nodeHandler)
    try {
      const { SENDGRID_API_KEY, SENDGRID_URL, MAILGUN_API_KEY, MAILGUN_DOMAIN } = environment
      const transports = {
        sendgrid: sendgridTransport({
          apiKey: SENDGRID_API_KEY,
          baseUrl: SENDGRID_URL,
          correlator,
        }),
        mailgun: mailgunTransport({
          apiKey: MAILGUN_API_KEY,
          domain: MAILGUN_DOMAIN,
          baseUrl: environment.MAILGUN_URL,
          correlator,
        }),
        mandrill: mandrillTransport({
          apiKey: environment.MANDRILL_API_KEY,
          baseUrl: environment.MANDRILL_URL,
          correlator,
        }),
      }
      const presses = { b: 'bounced', c: 'complained', u: 'unsubscribed' } as const
      for (const [name, transport] of Object.entries(transports)) {
        const transporter = nodemailer.createTransport(transport)
        const message = { from: 'a@example.com', subject: name, text: 'x' }
        for (const [key, type] of Object.entries(presses)) {
          const to = `${key}@${name}.example.org`
          const { trackingId } = await transporter.sendMail({ ...message, to })
          await correlator.waitFor(trackingId, 'delivered', { timeout: 10_000 })
          sandbox.write(key)
          await correlator.waitFor(trackingId, type, { timeout: 10_000 })
          await sandbox.wrote(
            new RegExp(`"posted","provider":"${name}","type":"${type}","status":200,"taken":true`),
          )
          await expect(transporter.sendMail({ ...message, to })).rejects.toThrow('suppressed since')
          const again = await transporter.sendMail({ ...message, to, ignoreSuppressions: true })
          expect(again.accepted).toEqual([to])
          expect(
            (await transporter.sendMail({ ...message, to: `not.${to}` })).accepted,
          ).toHaveLength(1)
        }
      }
    } finally {
      server.closeAllConnections()
      server.close()
      await correlator.close()
    }
  })

  test('says that nobody answers where the application is not there', async () => {
    const sandbox = startDev('--to', 'http://127.0.0.1:9/hooks')
    await sandbox.wrote(/ {2}q {2}end\n/)
    const { SENDGRID_API_KEY = '', SENDGRID_URL = '' } = exported(sandbox.stdout())
    await nodemailer
      .createTransport(sendgridTransport({ apiKey: SENDGRID_API_KEY, baseUrl: SENDGRID_URL }))
      .sendMail({ from: 'a@example.com', to: 'b@example.com', subject: 'x', text: 'x' })
    await sandbox.wrote(/SendGrid {2}delivered +nobody answered\n +SendGrid posts the batch again/)
  })

  test.each([
    [['--to', 'localhost:3000'], /--to is no http or https URL/],
    [['--port', 'many'], /It is a whole number/],
    [['--unknown'], /unknown option '--unknown'/],
  ])('is refused with %j', async (words, told) => {
    const { code, stderr } = await run(['dev', ...words], { folder })
    expect([code, stderr]).toEqual([2, expect.stringMatching(told)])
  })

  test('says which port is taken', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = typeof address === 'object' ? String(address?.port) : ''
    try {
      const { code, stderr } = await run(['dev', '--port', port], { folder })
      expect([code, stderr]).toEqual([
        1,
        expect.stringContaining(`port ${port} is taken: choose another with --port`),
      ])
    } finally {
      server.close()
    }
  })
})
