import { describe, expect, test } from '@jest/globals'
import { type Form, FormError, readForm } from '../src/form.js'

const type = 'multipart/form-data; boundary=xYzZY'

/** A multipart body, its line breaks as they go over the wire. */
const multipart = (...parts: string[]): Buffer =>
  Buffer.from(parts.map((part) => `--xYzZY\r\n${part}\r\n`).join('') + '--xYzZY--', 'latin1')

const field = (name: string, value: string): string =>
  `Content-Disposition: form-data; name="${name}"\r\n\r\n${value}`

const names = ({ fields, files }: Form): string[] => [...fields, ...files].map(({ name }) => name)

describe('a multipart form', () => {
  test('has its fields in their order, also those that repeat', async () => {
    const form = await readForm(type, multipart(field('b', '1'), field('a', '2'), field('b', '3')))
    expect(form.fields.map(({ name, value }) => [name, value.toString()])).toEqual([
      ['b', '1'],
      ['a', '2'],
      ['b', '3'],
    ])
  })

  test('has every field as the bytes that came, whatever its part says of a charset', async () => {
    const declared = `Content-Disposition: form-data; name="b"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\x81\xf6`
    const form = await readForm(type, multipart(field('a', '\x81\xf6'), declared))
    expect(form.fields.map(({ value }) => value.toString('latin1'))).toEqual([
      '\x81\xf6',
      '\x81\xf6',
    ])
  })

  test('has its files with name, type and bytes', async () => {
    const filename = Buffer.from('Übersicht "1".pdf').toString('latin1').replaceAll('"', '%22')
    const file = `Content-Disposition: form-data; name="attachment1"; filename="${filename}"\r\nContent-Type: application/pdf; x=y\r\n\r\n\x00\xff\r\n\r\n`
    const form = await readForm(type, multipart(field('a', ''), file))
    expect(form.files).toEqual([
      {
        name: 'attachment1',
        filename: expect.stringMatching(/^Übersicht .*pdf$/),
        contentType: 'application/pdf',
        content: Buffer.from([0, 255, 13, 10, 13, 10]),
      },
    ])
  })

  test('may be empty, or have an empty field', async () => {
    expect(await readForm(type, multipart())).toEqual({ fields: [], files: [] })
    expect(names(await readForm(type, multipart(field('a', ''))))).toEqual(['a'])
  })

  test('with a field of another name than any object has', async () => {
    const form = await readForm(type, multipart(field('__proto__', 'x'), field('constructor', 'y')))
    expect(names(form)).toEqual(['__proto__', 'constructor'])
  })

  test.each([
    ['without a boundary', 'multipart/form-data', multipart(field('a', 'b'))],
    ['that ends in the middle', type, multipart(field('a', 'b')).subarray(0, 40)],
    ['that ends in the middle of a head', type, Buffer.from('--xYzZY\r\nContent-Disp')],
    ['of another boundary', type, Buffer.from('--other\r\n\r\nx\r\n--other--')],
    ['that is no form at all', type, Buffer.from('{}')],
    ['that is empty', type, Buffer.alloc(0)],
    ['of another type', 'text/plain', Buffer.from('a=b')],
    ['of too many parts', type, multipart(...Array<string>(2001).fill(field('a', 'b')))],
  ])('%s is refused', async (_, contentType, body) => {
    await expect(readForm(contentType, body)).rejects.toBeInstanceOf(FormError)
  })
})

describe('an urlencoded form', () => {
  const read = (body: string, contentType = 'application/x-www-form-urlencoded') =>
    readForm(contentType, Buffer.from(body))

  test('is decoded, and keeps what repeats', async () => {
    const form = await read(
      'a=1+2&b=%C3%BC&a=3&c',
      'Application/X-WWW-Form-URLencoded; charset=utf-8',
    )
    expect(form.fields.map(({ name, value }) => [name, value.toString()])).toEqual([
      ['a', '1 2'],
      ['b', 'ü'],
      ['a', '3'],
      ['c', ''],
    ])
  })

  test('of too many parts is refused before it is taken apart', async () => {
    await expect(read('&'.repeat(1_000_000))).rejects.toBeInstanceOf(FormError)
  })
})
