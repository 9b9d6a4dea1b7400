import { createHash, createPublicKey, verify } from 'node:crypto'
import { headOf } from '../../../src/composed-mail.js'
import { type Header, readHeaders } from '../../../src/mail-head.js'

/** Whether the signature that a document has is right, in the only form that Nodemailer writes. */
export function isSigned(document: string, privateKey: string): boolean {
  const headers = readHeaders(headOf(Buffer.from(document)))
  const signature = headers.find(({ name }) => /^dkim-signature$/i.test(name))
  if (!signature) return false
  const tags = new Map(
    signature.value.split(/;\s*/).map((tag): [string, string] => {
      const [, name = '', value = ''] = /^\s*(\w+)=(.*)$/s.exec(tag) ?? []
      return [name, value.replace(/\s/g, '')]
    }),
  )
  const signed = (tags.get('h') ?? '').split(':').flatMap((name) => {
    const last = headers.findLast((header) => header.name.toLowerCase() === name)
    return last ? [relaxed(last)] : []
  })
  const unsigned = { ...signature, value: signature.value.replace(/(\bb=)[^;]*$/, '$1') }
  const block = [...signed, relaxed(unsigned)].join('\r\n')
  return (
    tags.get('a') === 'rsa-sha256' &&
    tags.get('bh') === createHash('sha256').update(relaxedBody(document)).digest('base64') &&
    verify(
      'sha256',
      Buffer.from(block),
      createPublicKey(privateKey),
      Buffer.from(tags.get('b') ?? '', 'base64'),
    )
  )
}

const relaxed = ({ name, value }: Header): string =>
  `${name.toLowerCase()}:${value.replace(/\s+/g, ' ').trim()}`

function relaxedBody(document: string): string {
  const body = document.slice(document.indexOf('\r\n\r\n') + 4)
  const lines = body.split('\r\n').map((line) => line.replace(/[ \t]+/g, ' ').trimEnd())
  return `${lines.join('\r\n').replace(/(?:\r\n)+$/, '')}\r\n`
}
