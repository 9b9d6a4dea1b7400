import { describe, expect, test } from '@jest/globals'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  sign,
  signatureIn,
  signaturesIn,
  verifySignature,
} from '../../../src/providers/mailgun/signature.js'

const testKey = 'key-test-4f1c2d9be07a45c8913e6d5ab2f0c7e1'

const plain = {
  timestamp: '1760000000',
  token: '580d6443d8d907d110b69885861df72efc4a69cb8766b7b332',
  signature: 'b7ff5a2595ca0607873f077d1c2c23ba59a36d6ca5383fe52fd756e247a416a6',
}

describe('a signature', () => {
  test.each<[string, string, string, string, string]>([
    ['of a key with a prefix', testKey, plain.timestamp, plain.token, plain.signature],
    [
      'of a key without one',
      '9d3f6c1b7e2a4085a1c4e7f9b0d25368',
      '1530000000',
      '379f2049525f9325e24b45c3826442474a4e671287e68bfcb0',
      '5572e1ca030c257802a3ec52615e121a6f19d485569e3fb23aa3f50fcd161ac4',
    ],
    [
      'of a post from the control panel',
      'key-0p6mqbf74lb20gzq9f4dhpn9rg3zyk26',
      '1661621787',
      'd1931d9645b65e60f6fddf94448e982ff8db9256144a7fcb15',
      '1aed11dcc25700d6b75f9a6d568343ea02ecdd3fc89cc3209e2883a19e5cdd50',
    ],
    [
      'of a subaccount',
      'key-sub-1b2c3d4e5f60718293a4b5c6d7e8f901',
      '1760000030',
      '858d3e796851a0d4c726430991854b92acb09663d4ff6d2774',
      'f27bce5a6daa7b3f3412cac28373dd37aa6402e501388581613f84dd547a51de',
    ],
    [
      'of the parent account',
      'key-parent-90b7e5d2c8a14f36b1d0e4a7c2f95836',
      '1760000030',
      '858d3e796851a0d4c726430991854b92acb09663d4ff6d2774',
      '2a93b1bf5db3706ab5653aad22e2cd4f71831e9c63677314793395aa2c3fcc0f',
    ],
    [
      'of a legacy delivered',
      testKey,
      '1461261330',
      'c69c05f0cba3b11ff01c3730ab7cdd02ad1441f431f6ffc8dd',
      '0824ddf90842a04da2662dfba630ee00e048817f92c0aa3fa51d63e82e59c486',
    ],
    [
      'of a legacy clicked',
      testKey,
      '1461261600',
      '8c5a62b0eabdcf71bb3c50db7bb059a258bc4914bd94854448',
      'cb6c44966c61b8c2cb08adbd197b0b34351b2f543757b58c11a2e7ddf506013f',
    ],
  ])('%s is made and known', (_, key, timestamp, token, signature) => {
    expect(sign(key, timestamp, token)).toBe(signature)
    expect(verifySignature(key, { timestamp, token, signature })).toBe(true)
    expect(verifySignature(`${key}0`, { timestamp, token, signature })).toBe(false)
  })

  const folder = join(__dirname, 'fixtures')
  const samples = readdirSync(folder)
    .filter((name) => name.endsWith('.request.json'))
    .map((name): [string, string] => [name, readFileSync(join(folder, name), 'utf8')])
    .filter(([, body]) => body.includes('"signature"'))

  test('is in ten of the samples', () => expect(samples).toHaveLength(10))

  test.each(samples)('of the sample %s is known', (_, body) => {
    const { signature } = JSON.parse(body)
    expect(verifySignature(testKey, signature)).toBe(true)
  })

  test.each([
    [
      'with a dot between timestamp and token',
      { signature: '114e05ca9c394729925b3bd9f754f4733faf1d365d6c21a37e48d89f189df45d' },
    ],
    [
      'with the token first',
      { signature: '7f09379f79ecb689f410d28e8fc555af57c5479fdd74f3969275451fcf20bda3' },
    ],
    ['with another timestamp', { timestamp: '1760000001' }],
    ['with another token', { token: plain.token.replace('5', '6') }],
    ['of another event', { signature: sign(testKey, '1760000001', plain.token) }],
    ['that is empty', { signature: '' }],
    ['that is cut short', { signature: plain.signature.slice(0, -1) }],
    ['with something behind it', { signature: `${plain.signature} ` }],
    ['in upper case', { signature: plain.signature.toUpperCase() }],
    ['that is no hex', { signature: 'z'.repeat(64) }],
    ['of as many letters but more bytes', { signature: 'ü'.repeat(64) }],
    ['of as many bytes but fewer letters', { signature: 'ü'.repeat(32) }],
    ['twice over', { signature: plain.signature.repeat(2) }],
    ['with nothing signed', { timestamp: '', token: '' }],
    ['beside a parent signature that is none', { signature: '', parentSignature: 'x' }],
  ])('%s is refused', (_, changes) => {
    expect(verifySignature(testKey, { ...plain, ...changes })).toBe(false)
  })

  test('by an empty key is refused, for anybody can make it', () => {
    const signature = sign('', plain.timestamp, plain.token)
    expect(verifySignature('', { ...plain, signature })).toBe(false)
  })
})

describe("a subaccount's event", () => {
  const event = {
    timestamp: '1760000030',
    token: '858d3e796851a0d4c726430991854b92acb09663d4ff6d2774',
    signature: 'f27bce5a6daa7b3f3412cac28373dd37aa6402e501388581613f84dd547a51de',
    parentSignature: '2a93b1bf5db3706ab5653aad22e2cd4f71831e9c63677314793395aa2c3fcc0f',
  }

  test.each([
    ["the subaccount's key", 'key-sub-1b2c3d4e5f60718293a4b5c6d7e8f901', true],
    ["the parent account's key", 'key-parent-90b7e5d2c8a14f36b1d0e4a7c2f95836', true],
    ['no other key', testKey, false],
  ])('is known with %s', (_, key, known) => {
    expect(verifySignature(key, event)).toBe(known)
  })
})

describe('the signature of a JSON body', () => {
  const { timestamp, token, signature } = plain

  test.each<[string, unknown, object | undefined]>([
    ['that is whole', plain, plain],
    ['with a number for its time', { ...plain, timestamp: Number(timestamp) }, plain],
    [
      "with the parent account's",
      { ...plain, 'parent-signature': 'p' },
      { ...plain, parentSignature: 'p' },
    ],
    ['without a time', { token, signature }, undefined],
    ['without a token', { timestamp, signature }, undefined],
    ['without a signature', { timestamp, token }, undefined],
    ['with a date for its time', { ...plain, timestamp: '2025-10-09' }, undefined],
    ['with a fraction in its time', { ...plain, timestamp: '1760000000.5' }, undefined],
    ['with a letter before its time', { ...plain, timestamp: 'x1760000000' }, undefined],
    ['that is a text', signature, undefined],
    ['that is not there', undefined, undefined],
  ])('%s', (_, block, read) => {
    expect(signatureIn(block)).toStrictEqual(read)
  })
})

describe('the signatures of a form', () => {
  const read = (form: Record<string, unknown[]>): string[] =>
    signaturesIn((name) => form[name] ?? []).map((each) => Object.values(each).join(' '))

  test.each<[string, Record<string, unknown[]>, string[]]>([
    ['with one of each field', { timestamp: ['1'], token: ['t'], signature: ['s'] }, ['1 t s']],
    [
      'with a field more than once: the last, then the first, and none between',
      { timestamp: ['1'], token: ['first', 'second', 'last'], signature: ['s'] },
      ['1 last s', '1 first s'],
    ],
    [
      'with the same twice',
      { timestamp: ['1', '1'], token: ['t', 't'], signature: ['s', 's'] },
      ['1 t s'],
    ],
    [
      "with the parent account's",
      { timestamp: ['1'], token: ['t'], signature: ['s'], 'parent-signature': ['p', 'q'] },
      ['1 t s q', '1 t s p'],
    ],
    [
      'with files and empty texts beside them',
      { timestamp: ['', '1', {}], token: ['t', undefined], signature: ['s'] },
      ['1 t s'],
    ],
    ['with a time that is none', { timestamp: ['x'], token: ['t'], signature: ['s'] }, []],
    [
      'with a variable of that name',
      { timestamp: ['x', '1'], token: ['t'], signature: ['s'] },
      ['1 t s'],
    ],
    ['without one of the fields', { timestamp: ['1'], token: ['t'] }, []],
    ['without any', {}, []],
  ])('%s', (_, form, signatures) => {
    expect(read(form)).toEqual(signatures)
  })
})
