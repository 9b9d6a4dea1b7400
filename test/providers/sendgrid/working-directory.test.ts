import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const root = join(__dirname, '..', '..', '..')
let folder = ''

beforeAll(() => {
  // The SDK's own client makes a pattern of the folder's name when it is refused, and hangs on it.
  folder = mkdtempSync(join(tmpdir(), 'orders (new '))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('a refused call rejects in any working directory', () => {
  const program = `
    import nodemailer from ${JSON.stringify(fileUrl('node_modules/nodemailer/dist/esm/nodemailer.js'))}
    import { sendgridSimulator, sendgridTransport } from ${JSON.stringify(fileUrl('dist/esm/providers/sendgrid/index.js'))}
    import { startProvider } from ${JSON.stringify(fileUrl('dist/esm/testing/index.js'))}
    const provider = await startProvider(sendgridSimulator({ apiKey: 'SG.right' }))
    const transport = sendgridTransport({ apiKey: 'SG.wrong', baseUrl: provider.url })
    const mail = { from: 'a@example.com', to: 'b@example.com', subject: 'x', text: 'x' }
    await nodemailer.createTransport(transport).sendMail(mail).catch(({ category }) => console.log(category))
    await provider.close()`
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 10_000,
  })
  expect(output.trim()).toBe('auth')
})

function fileUrl(path: string): string {
  return pathToFileURL(join(root, path)).href
}
