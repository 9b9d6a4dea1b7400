import { describe, expect, jest, test } from '@jest/globals'
import { diagnose } from '../../../src/providers/sendgrid/diagnosis.js'
import { parsePublicKey, verifySignature } from '../../../src/providers/sendgrid/signature.js'
import { capturedBody } from './captured.js'
import { vectors } from './vectors.js'

/** Whether it is the body that was signed. */
const only =
  (signed: Buffer) =>
  (body: Buffer): boolean =>
    body.equals(signed)

const batch = Buffer.from(
  '[{"email":"a@example.com","n":"ü"},\r\n{"smtp-id":"<b@c>","url":"?a=1&b"}]\r\n',
)
const testButton = capturedBody('test-button')
const anew = (body: Buffer, space?: number): Buffer =>
  Buffer.from(JSON.stringify(JSON.parse(body.toString()), undefined, space))

describe('a body is found to be truncated', () => {
  test.each<[string, Buffer, Buffer]>([
    ['without its last line break', batch.subarray(0, -2), batch],
    ['without the last byte of it', batch.subarray(0, -1), batch],
    ['that ended in LF alone', Buffer.from('[]'), Buffer.from('[]\n')],
    ['trimmed, with another line break behind it', Buffer.from('[]\n\n'), Buffer.from('[]\r\n')],
    ['that is no JSON', Buffer.from('--xYzZY--\xff'), Buffer.from('--xYzZY--\xff\r\n')],
    ['that is no UTF-8', Buffer.from('ff0a', 'hex'), Buffer.from('ff0d0a', 'hex')],
  ])('%s', (_, body, signed) => {
    expect(diagnose(body, only(signed))).toBe('truncated')
  })
})

describe('a body is found to be parsed and written again', () => {
  test.each<[string, Buffer, Buffer]>([
    ['on one line', anew(batch), batch],
    ['with indentation', anew(batch, 2), batch],
    ['with line breaks of LF', Buffer.from(`${batch}`.replaceAll('\r', '')), batch],
    ['with other escapes', Buffer.from(`${anew(batch)}`.replaceAll('ü', '\\u00fc')), batch],
    ['from the test button, which escapes < and >', anew(testButton), testButton],
    ['with & escaped', anew(batch), Buffer.from(`${batch}`.replace(/[<>&]/g, escaped))],
  ])('%s', (_, body, signed) => {
    expect(diagnose(body, only(signed))).toBe('reserialised')
  })

  function escaped(character: string): string {
    return `\\u00${character.charCodeAt(0).toString(16)}`
  }
})

describe('of a captured request', () => {
  test.each(vectors)('with $title it is found what was done to it', (vector) => {
    const { publicKey, timestamp, signature } = vector
    const key = parsePublicKey(publicKey)
    const body = Buffer.from(vector.body, 'base64')
    const fits = (bytes: Buffer): boolean => verifySignature(key, timestamp, bytes, signature)
    expect(diagnose(body.subarray(0, -2), fits)).toBe('truncated')
    expect(diagnose(anew(body, 1), fits)).toBe('reserialised')
    expect(diagnose(Buffer.from(`${body}`.replace('@', '#')), fits)).toBe('bad-signature')
  })
})

describe('nothing is found out', () => {
  const never = () => false

  test.each([
    ['that is empty', ''],
    ['that is no JSON', 'event=delivered'],
    ['that is no batch', '{"event":"delivered"}'],
    ['that is cut off', '[{"event":"deliv'],
    ['that is nested without end', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
    ['of more entries than a batch has', `[${'0,'.repeat(20_000)}0]`],
    ['of something else', '[{"event":"delivered"}]\r\n'],
  ])('about a body %s', (_, body) => {
    expect(diagnose(Buffer.from(body), never)).toBe('bad-signature')
  })

  test('with more than five tries', () => {
    const fits = jest.fn(never)
    diagnose(Buffer.from('[{"a":"<b>"}]\n'), fits)
    expect(fits).toHaveBeenCalledTimes(5)
  })

  test('about a body of over 1 MB, whose every try would cost', () => {
    const large = Buffer.from(JSON.stringify(['x'.repeat(1024 * 1024)]))
    const fits = jest.fn(() => true)
    expect(diagnose(large, fits)).toBe('bad-signature')
    expect(fits).not.toHaveBeenCalled()
    const largest = large.subarray(0, 1024 * 1024)
    expect(diagnose(largest, fits)).toBe('truncated')
  })
})
