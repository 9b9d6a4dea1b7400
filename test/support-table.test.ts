import { expect, test } from '@jest/globals'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { carriedFields as mailgun } from './providers/mailgun/carried-fields.js'
import { carriedFields as mandrill } from './providers/mandrill/carried-fields.js'
import { carriedFields as sendgrid } from './providers/sendgrid/carried-fields.js'
import { fieldTable, supportTable, unlisted, withTable } from './support-table.js'

const columns = { SendGrid: sendgrid, Mailgun: mailgun, Mandrill: mandrill }

// UPDATE_TABLES=1 npx jest test/support-table writes them.
test.each([
  ['README.md', 'what is carried', supportTable(columns)],
  ['docs/sending.md', 'every field', fieldTable(columns)],
])('%s says of each field what the tests of it have shown', (path, name, table) => {
  const file = join(__dirname, '..', path)
  const document = readFileSync(file, 'utf8')
  const wanted = withTable(document, name, table)
  if (process.env['UPDATE_TABLES'] === '1') writeFileSync(file, wanted)
  else expect(document).toBe(wanted)
})

test('the README leaves out what is of no use, and what changes nothing in the message', () => {
  expect(unlisted(sendgrid)).toEqual([
    'attachments[].contentDisposition attachment, with a cid',
    'headers, a name beyond ASCII',
    'encoding',
    'textEncoding',
    'disableFileAccess',
    'disableUrlAccess',
  ])
})
