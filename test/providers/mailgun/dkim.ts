import { createHash, createPublicKey, verify } from 'node:crypto'
import { readHeaders } from '../../../src/mail-head.js'

/** Whether a document bears a signature (RFC 6376, rsa-sha256, relaxed/relaxed) that fits it. */
export function isSigned(document: string, privateKey: string): boolean {
  const end = document.indexOf('\r\n\r\n')
  const headers = readHeaders(document.slice(0, end))
  const signature = headers.find(({ name }) => name.toLowerCase() === 'dkim-signature')?.value ?? ''
  const tag = (name: string): string =>
    new RegExp(`(?:^|;)\\s*${name}=([^;]*)`).exec(signature)?.[1]?.replace(/\s/g, '') ?? ''
  const line = (name: string, value: string): string =>
    `${name.toLowerCase()}:${value.replace(/\s+/g, ' ').trim()}`
  const signed = tag('h')
    .split(':')
    .flatMap((wanted) => headers.filter(({ name }) => name.toLowerCase() === wanted))
    .map(({ name, value }) => `${line(name, value)}\r\n`)
    .join('')
  const unsigned = line('dkim-signature', signature.replace(/(;\s*b=)[^;]*/, '$1'))
  return (
    createHash('sha256')
      .update(relaxedBody(document.slice(end + 4)))
      .digest('base64') === tag('bh') &&
    verify(
      'sha256',
      Buffer.from(signed + unsigned),
      createPublicKey(privateKey),
      Buffer.from(tag('b'), 'base64'),
    )
  )
}

function relaxedBody(body: string): string {
  const lines = body.split('\r\n').map((line) => line.replace(/[ \t]+/g, ' ').trimEnd())
  const kept = lines.join('\r\n').replace(/(?:\r\n)+$/, '')
  return kept === '' ? '' : `${kept}\r\n`
}
