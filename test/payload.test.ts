import { describe, expect, test } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import { dirname } from 'node:path'
import {
  fields,
  flag,
  isoTime,
  metadata,
  parseJson,
  readEach,
  readEntries,
  smtpCodes,
  text,
  texts,
  time,
  wholeNumber,
} from '../src/payload.js'

describe('values of payloads are read leniently', () => {
  test.each([
    ['2014-08-01T13:28:10.2735393-04:00', '2014-08-01T17:28:10.273Z'],
    ['2019-11-05T16:33:54.9070259Z', '2019-11-05T16:33:54.907Z'],
    ['2020-02-01 10:53:34', '2020-02-01T10:53:34.000Z'],
    [' 2020-02-01T10:53:34+0100 ', '2020-02-01T09:53:34.000Z'],
    ['2020-02-01', undefined],
    ['2020-13-01T10:53:34Z', undefined],
    ['7', undefined],
    [1_580_554_414, undefined],
    ['yesterday', undefined],
    [null, undefined],
  ])('an ISO time of %j is %j', (value, read) => {
    expect(isoTime(value)?.toISOString()).toBe(read)
  })

  test('an ISO time without a zone is UTC, wherever the machine stands', () => {
    const program = `
      const { isoTime } = require('mailtrail/provider')
      console.log(new Date(0).getTimezoneOffset(), isoTime('2020-02-01 10:53:34').toISOString())`
    const options = {
      cwd: dirname(__dirname),
      env: { TZ: 'Asia/Tokyo' },
      encoding: 'utf8',
    } as const
    const output = execFileSync(process.execPath, ['--eval', program], options)
    expect(output).toBe('-540 2020-02-01T10:53:34.000Z\n')
  })

  test.each([
    ['{"a":1}', { a: 1 }],
    ['null', null],
    ['', undefined],
    ['{"a":', undefined],
    ['<html>', undefined],
  ])('JSON of %j is %j', (json, value) => {
    expect(parseJson(json)).toEqual(value)
  })

  test.each([
    ['a', 'a'],
    [5, '5'],
    [0, '0'],
    ['', undefined],
    ['  ', undefined],
    [null, undefined],
    [undefined, undefined],
    [true, undefined],
    [{}, undefined],
    [Number.NaN, undefined],
  ])('text of %j is %j', (value, read) => {
    expect(text(value)).toBe(read)
  })

  test.each([
    [5, 5],
    ['5', 5],
    [5.5, undefined],
    ['five', undefined],
    ['', undefined],
    [null, undefined],
    [1e300, undefined],
  ])('a whole number of %j is %j', (value, read) => {
    expect(wholeNumber(value)).toBe(read)
  })

  test.each([
    [true, true],
    [1, true],
    ['1', true],
    ['True', true],
    [false, false],
    [0, false],
    ['0', false],
    ['yes', undefined],
    [null, undefined],
    [undefined, undefined],
  ])('a flag of %j is %j', (value, read) => {
    expect(flag(value)).toBe(read)
  })

  test.each([
    [
      ['a', 'b'],
      ['a', 'b'],
    ],
    ['a', ['a']],
    [
      ['a', null, 5, ''],
      ['a', '5'],
    ],
    [null, []],
    [undefined, []],
    [{}, []],
  ])('texts of %j are %j', (value, read) => {
    expect(texts(value)).toEqual(read)
  })

  test.each([
    [1_760_000_000, '2025-10-09T08:53:20.000Z'],
    ['1760000000', '2025-10-09T08:53:20.000Z'],
    [1_760_000_003.870154, '2025-10-09T08:53:23.870Z'],
    ['1760000003.870154', '2025-10-09T08:53:23.870Z'],
    [1_760_000_000_000, '2025-10-09T08:53:20.000Z'],
    [0, undefined],
    [-1, undefined],
    ['', undefined],
    ['soon', undefined],
    [null, undefined],
    [Infinity, undefined],
    [1e15, undefined],
    [253_402_300_799_999, '9999-12-31T23:59:59.999Z'],
    [1e40, undefined],
    [{}, undefined],
  ])('a time of %j is %j', (value, read) => {
    expect(time(value)?.toISOString()).toBe(read)
  })

  test.each([
    ['550 5.1.1 No such user', { smtpCode: 550, enhancedCode: '5.1.1' }],
    ['smtp;550 5.1.1 No such user', { smtpCode: 550, enhancedCode: '5.1.1' }],
    ['250-mx.example.com', { smtpCode: 250 }],
    ['421 4.7.0 [1234] try again', { smtpCode: 421, enhancedCode: '4.7.0' }],
    ['5.7.1 rejected', { enhancedCode: '5.7.1' }],
    ['4.4.2', { enhancedCode: '4.4.2' }],
    ['192.4.1.5.1 is an address', {}],
    ['queued as 2505501', {}],
    ['quota 500 MB exceeded: 552 5.2.2 full', { smtpCode: 552, enhancedCode: '5.2.2' }],
    ['', {}],
    [undefined, {}],
  ])('the SMTP codes of %j are %j', (answer, codes) => {
    expect(smtpCodes(answer)).toEqual(codes)
  })
})

describe('metadata', () => {
  test('becomes strings, without our own id', () => {
    const given = { order: '42', n: 111, ok: true, deep: { a: [1] }, none: null, own: 'x' }
    expect(metadata(given, 'own')).toEqual({ order: '42', n: '111', ok: 'true', deep: '{"a":[1]}' })
  })

  test.each([[null], [undefined], [[]], ['Could not load user-variables.'], [5]])(
    'of %j is empty',
    (value) => {
      expect(metadata(value, 'own')).toEqual({})
    },
  )

  test('cannot change what objects are', () => {
    const hostile: unknown = JSON.parse('{"__proto__":{"admin":true},"constructor":"x"}')
    const read = metadata(hostile, 'own')
    expect(Reflect.get(read, 'admin')).toBeUndefined()
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype)
  })
})

test('fields of what is no object are none', () => {
  for (const value of [null, undefined, 'x', 5, ['x']]) expect(fields(value)).toEqual({})
})

describe('a batch is read entry by entry', () => {
  const read = (entry: Record<string, unknown>) => {
    if (entry['bad'] === true) throw new Error('it is bad')
    return {
      type: 'delivered' as const,
      providerEvent: String(entry['event']),
      tags: [],
      metadata: {},
      raw: entry,
    }
  }

  test('and what cannot be read harms nothing else', () => {
    const deep: unknown = JSON.parse(`${'['.repeat(1000)}${']'.repeat(1000)}`)
    const events = readEach(
      [{ event: 'a' }, null, 'x', { bad: true }, { deep }, { event: 'b' }],
      read,
    )
    expect(events.map((event) => [event.type, event.type === 'unknown' && event.error])).toEqual([
      ['delivered', false],
      ['unknown', 'it is not an object'],
      ['unknown', 'it is not an object'],
      ['unknown', 'it is bad'],
      ['unknown', 'it is nested too deeply'],
      ['delivered', false],
    ])
    expect(events[4]?.raw).toBe(JSON.stringify({ deep }))
  })

  test('and what is nested beyond what can be written is told without it', () => {
    const levels = 1_000_000
    const endless: unknown = JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`)
    expect(readEach([{ endless }], read)).toMatchObject([
      { type: 'unknown', error: 'it is nested too deeply', raw: null },
    ])
  })
})

describe('the entries of a batch', () => {
  test.each([
    ['[{"a":1},null]', [{ a: 1 }, null]],
    ['[]', []],
  ])('%s are taken', (json, entries) => {
    expect(readEntries('the body', json)).toEqual({ kind: 'entries', entries })
  })

  test.each([
    ['{"a":1}', 'the body is not a JSON array'],
    ['[', 'the body is not JSON'],
    ['', 'the body is not JSON'],
    [`[${'0,'.repeat(10_000)}0]`, 'the body has 10001 entries, and 10000 are read at most'],
  ])('are refused where there are none, or too many of them', (json, detail) => {
    expect(readEntries('the body', json)).toEqual({ kind: 'refused', reason: 'malformed', detail })
  })
})

test('of many entries with objects of many fields the first are read, and those without', () => {
  const wide = Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [`k${at}`, at]))
  const narrow = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`k${at}`, at]))
  const many = [...Array(11).fill(wide), ...Array(100).fill(narrow)]
  const tooMany = {
    type: 'unknown',
    error: 'it is one of too many that hold objects of many fields',
    raw: JSON.stringify(wide),
  }
  expect(readEach(many, () => 'read')).toEqual([
    ...Array(10).fill('read'),
    expect.objectContaining(tooMany),
    ...Array(100).fill('read'),
  ])
})

test('an entry of more values than any provider writes is kept as text, and the rest goes on', () => {
  const ofFields = (length: number) =>
    Object.fromEntries(Array.from({ length }, (_, at) => [`k${at}`, at]))
  const wide = ofFields(2001)
  const lists = { a: Array(15_000).fill(0), b: { c: Array(15_001).fill(0) } }
  const fine = [{ a: Array(29_999).fill(0) }, ofFields(2000)]
  const readings = readEach([wide, { a: [wide] }, lists, ...fine], () => 'read')
  const tooWide = { type: 'unknown', error: 'it holds an object of more than 2000 fields' }
  expect(readings).toEqual([
    expect.objectContaining({ ...tooWide, raw: JSON.stringify(wide) }),
    expect.objectContaining(tooWide),
    expect.objectContaining({ error: 'it holds more than 30000 values' }),
    'read',
    'read',
  ])
})
