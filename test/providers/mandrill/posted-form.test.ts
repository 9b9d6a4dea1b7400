import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { readForm } from '../../../src/providers/mandrill/posted-form.js'
import { read, requestOf } from './webhook-requests.js'

const parametersOf = (body: string | Buffer): [string, string][] => {
  const form = readForm(Buffer.from(body))
  if (form.kind === 'refused') throw new Error(form.detail)
  return form.parameters.map(([name, value]) => [name, value.toString('utf8')])
}

describe('the form', () => {
  test.each<[string, string, [string, string][]]>([
    ['plus is a space', 'mandrill_events=a+b%2Bc', [['mandrill_events', 'a b+c']]],
    ['hexadecimal digits in either case', 'mandrill_events=%c3%BC', [['mandrill_events', 'ü']]],
    ['UTF-8 as it is', 'mandrill_events=ü', [['mandrill_events', 'ü']]],
    [
      'a percent sign that begins nothing',
      'mandrill_events=5%&b=%2&c=%zz',
      [
        ['mandrill_events', '5%'],
        ['b', '%2'],
        ['c', '%zz'],
      ],
    ],
    ['an equals sign in the value', 'mandrill_events=a=b', [['mandrill_events', 'a=b']]],
    ['an encoded name', 'mandrill%5Fevents=a', [['mandrill_events', 'a']]],
    [
      'names without values',
      'mandrill_events&a&b=',
      [
        ['mandrill_events', ''],
        ['a', ''],
        ['b', ''],
      ],
    ],
  ])('is decoded: %s', (_, body, parameters) => {
    expect(parametersOf(body)).toEqual(parameters)
  })

  test('keeps bytes that are no text, for they are what is signed', () => {
    const form = readForm(Buffer.from('mandrill_events=%FF%00x'))
    expect(form.kind === 'form' && [...form.batch]).toEqual([0xff, 0, 0x78])
  })

  test('is decoded as URLSearchParams does it', () => {
    const pieces = ['%', '%2', '%22', '%c3%bc', '%e2%82%ac', '%00', '%Gg', '+', '=', 'a', ';', '*']
    const piece = fc.constantFrom(...pieces)
    const value = fc.array(piece, { maxLength: 20 }).map((some) => some.join(''))
    fc.assert(
      fc.property(fc.array(value, { maxLength: 4 }), (values) => {
        const body = values.map((one, index) => `p${index}=${one}`).concat('mandrill_events=x')
        expect(parametersOf(body.join('&'))).toEqual([...new URLSearchParams(body.join('&'))])
      }),
    )
  })

  test.each([
    ['a list', 'mandrill_events%5B%5D=x', 'no mandrill_events'],
    ['a list in brackets', 'mandrill_events[]=x', 'no mandrill_events'],
    ['nothing', '', 'no mandrill_events'],
    ['the batch twice', 'mandrill_events=a&mandrill_events=a', 'repeats a parameter'],
    ['another name twice', 'mandrill_events=a&b=1&b=2', 'repeats a parameter'],
    ['one name written in two ways', 'mandrill_events=a&%62=1&b=2', 'repeats a parameter'],
    ['empty parameters', 'mandrill_events=a&&&', 'repeats a parameter'],
  ])('is malformed with %s', (_, body, detail) => {
    expect(readForm(Buffer.from(body))).toMatchObject({
      kind: 'refused',
      reason: 'malformed',
      detail: expect.stringContaining(detail),
    })
  })

  test('may have a hundred parameters, and no more', () => {
    const others = Array.from({ length: 99 }, (_, index) => `p${index}=1`)
    const most = ['mandrill_events=x', ...others].join('&')
    expect(parametersOf(most)).toHaveLength(100)
    expect(readForm(Buffer.from(`${most}&one-more=1`))).toMatchObject({ reason: 'malformed' })
  })
})

describe('what anybody may post costs little', () => {
  const signed = { 'x-mandrill-signature': `A${'B'.repeat(26)}=` }
  const megabyte = 1024 * 1024

  test.each([
    ['a megabyte of &', () => '&'.repeat(megabyte), 'malformed'],
    ['a megabyte of parameters', () => 'a=1&'.repeat(megabyte / 4), 'malformed'],
    ['a megabyte of =', () => '='.repeat(megabyte), 'malformed'],
    ['a megabyte of one name', () => 'a'.repeat(megabyte), 'malformed'],
    ['a megabyte of %', () => `mandrill_events=${'%'.repeat(megabyte)}`, 'bad-signature'],
    [
      'a megabyte of brackets',
      () => `mandrill_events=${'['.repeat(megabyte / 2)}${']'.repeat(megabyte / 2)}`,
      'bad-signature',
    ],
    [
      'a megabyte of slashes to escape',
      () => `mandrill_events=["${'ü/'.repeat(megabyte / 4)}"]`,
      'bad-signature',
    ],
    [
      'thirty megabytes of encoded characters',
      () => `mandrill_events=${'%22'.repeat(10 * megabyte)}`,
      'bad-signature',
    ],
  ])('%s', async (_, body, reason) => {
    const request = requestOf(body(), signed)
    const began = performance.now()
    expect(await read(request)).toMatchObject({ reason })
    expect(performance.now() - began).toBeLessThan(5000)
  })
})
