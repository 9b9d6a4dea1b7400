import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const root = dirname(dirname(__dirname))
const example = join(root, 'examples/postmark')
const manifest: { exports: Record<string, unknown> } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
)
const read = (name: string): string => readFileSync(join(example, name), 'utf8')

describe('a provider from outside', () => {
  const publicEntries = Object.keys(manifest.exports).map((entry) => join('mailtrail', entry))

  test.each(readdirSync(example))('imports in %s nothing but what is public', (name) => {
    const imports = [...read(name).matchAll(/(?:from|import\(|require\() ?'([^']+)'/g)]
      .map(([, from = '']) => from)
      .filter((from) => !from.startsWith('./') && !from.startsWith('node:'))
    expect(imports.filter((from) => !publicEntries.includes(from))).toEqual([])
    expect(read(name)).not.toMatch(/\bas any\b|\bas unknown\b|@ts-|\.\.\//)
  })

  test('is under 250 lines, transport and webhook together', () => {
    const lines = ['transport.ts', 'webhook.ts'].flatMap((name) => read(name).trimEnd().split('\n'))
    expect(lines.length).toBeLessThan(250)
  })
})

describe('a fourth provider', () => {
  let copy = ''

  beforeAll(() => {
    copy = mkdtempSync(join(tmpdir(), 'mailtrail with a fourth '))
    for (const part of ['src', 'build', 'tsconfig.json'])
      cpSync(join(root, part), join(copy, part), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'dir')
    // One folder …
    mkdirSync(join(copy, 'src/providers/postmark'))
    cpSync(example, join(copy, 'src/providers/postmark'), { recursive: true })
    // … and one export, of the same shape as those of the others.
    const entry: unknown = JSON.parse(
      JSON.stringify(manifest.exports['./mandrill']).replaceAll('mandrill', 'postmark'),
    )
    const exports = { ...manifest.exports, './postmark': entry }
    writeFileSync(join(copy, 'package.json'), JSON.stringify({ ...manifest, exports }))
  })
  afterAll(() => rmSync(copy, { recursive: true, force: true }))

  const program = `
    import { createServer } from 'node:http'
    import { once } from 'node:events'
    import nodemailer from 'nodemailer'
    import { createCorrelator, memoryStore } from 'mailtrail'
    import { startProvider } from 'mailtrail/testing'
    import { postmarkSimulator, postmarkTransport, postmarkWebhook } from 'mailtrail/postmark'

    const [serverToken, password] = ['a token of the server', 'a password of the webhook']
    const webhooks = [postmarkWebhook({ password })]
    const correlator = createCorrelator({ store: memoryStore(), webhooks })
    const server = createServer(correlator.nodeHandler).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const webhookUrl = \`http://127.0.0.1:\${server.address().port}/postmark\`
    const script = () => [{ events: [{ type: 'delivered', recipient: 'ann@example.org' }] }]
    const simulator = postmarkSimulator({ serverToken, password })
    const { url: baseUrl, close } = await startProvider(simulator, { webhookUrl, script })
    const transporter = nodemailer.createTransport(postmarkTransport({ serverToken, baseUrl, correlator }))
    const from = 'shop@example.com'
    const { trackingId } = await transporter.sendMail({ from, to: 'ann@example.org', text: 'Thanks' })
    await correlator.waitFor(trackingId, 'delivered', { timeout: 10_000 })
    console.log((await correlator.message(trackingId)).status)
    await close()
    server.closeAllConnections()
    server.close()
    await correlator.close()`

  test('is one folder and one export', () => {
    const build = spawnSync('npm', ['run', '--silent', 'build'], { cwd: copy, encoding: 'utf8' })
    expect([build.status, build.stdout, build.stderr]).toEqual([0, '', ''])
    writeFileSync(join(copy, 'send.mjs'), program)
    const { stdout, stderr } = spawnSync(process.execPath, ['send.mjs'], {
      cwd: copy,
      encoding: 'utf8',
    })
    expect([stdout, stderr]).toEqual(['delivered\n', ''])
  }, 120_000)
})
