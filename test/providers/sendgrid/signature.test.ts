import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import { ApiKeyError } from '../../../src/errors.js'
import { ConfigurationError } from '../../../src/index.js'
import { parsePublicKey, sign, verifySignature } from '../../../src/providers/sendgrid/signature.js'
import { newKeys } from './signing.js'
import { type SignatureVector, vectors } from './vectors.js'

const sha256 = (...parts: (string | Buffer)[]): string => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('hex')
}

interface Signed {
  key: KeyObject
  timestamp: string
  body: Buffer
  signature: string
}

const signedOf = ({ publicKey, timestamp, body, signature }: SignatureVector): Signed => ({
  key: parsePublicKey(publicKey),
  timestamp,
  body: Buffer.from(body, 'base64'),
  signature,
})

const verify = ({ key, timestamp, body, signature }: Signed): boolean =>
  verifySignature(key, timestamp, body, signature)

describe.each(vectors)('the captured request with $title', (vector) => {
  const signed = signedOf(vector)

  test('is here byte for byte', () => {
    expect(sha256(signed.body)).toBe(vector.bodyDigest)
    expect(sha256(signed.timestamp, signed.body)).toBe(vector.signedDigest)
  })

  test('is verified', () => {
    expect(verify(signed)).toBe(true)
  })

  test.each<[string, (body: Buffer) => Buffer]>([
    ['without its last line break', (body) => body.subarray(0, -2)],
    ['with a last line break of one byte', (body) => Buffer.from(`${String(body).trim()}\n`)],
    [
      'when it was parsed and written anew',
      (body) => Buffer.from(JSON.stringify(JSON.parse(String(body)))),
    ],
    ['with another byte in it', (body) => Buffer.from(String(body).replace('@', '#'))],
    ['with more behind it', (body) => Buffer.concat([body, Buffer.from('\n')])],
    ['without a body', () => Buffer.alloc(0)],
  ])('is not verified %s', (_, change) => {
    expect(verify({ ...signed, body: change(signed.body) })).toBe(false)
  })

  test('is not verified at another time', () => {
    expect(verify({ ...signed, timestamp: String(Number(signed.timestamp) + 1) })).toBe(false)
  })

  test('is not verified with the key of the other', () => {
    for (const { publicKey } of vectors.filter((other) => other !== vector)) {
      expect(verify({ ...signed, key: parsePublicKey(publicKey) })).toBe(false)
    }
  })
})

describe('the first captured request, with what the SDKs try on it,', () => {
  test.each<[string, Partial<Signed>]>([
    [
      'another key',
      {
        key: parsePublicKey(
          'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqTxd43gyp8IOEto2LdIfjRQrIbsd4SXZkLW6jDutdhXSJCWHw8REntlo7aNDthvj+y7GjUuFDb/R1NGe1OPzpA==',
        ),
      },
    ],
    [
      'another signature',
      {
        signature:
          'MEUCIQCtIHJeH93Y+qpYeWrySphQgpNGNr/U+UyUlBkU6n7RAwIgJTz2C+8a8xonZGi6BpSzoQsbVRamr2nlxFDWYNH3j/0=',
      },
    ],
    ['another payload', { body: Buffer.from('payload') }],
    ['another timestamp', { timestamp: 'timestamp' }],
  ])('is not verified: %s', (_, change) => {
    for (const signed of vectors.slice(0, 1).map(signedOf)) {
      expect(verify({ ...signed, ...change })).toBe(false)
    }
  })
})

/** Of the ASN.1 SEQUENCE of two INTEGERs, the numbers side by side, as WebCrypto has them. */
function sideBySide(signature: string): Buffer {
  const der = Buffer.from(signature, 'base64')
  const lengthOfR = der[3] ?? 0
  const numbers = [der.subarray(4, 4 + lengthOfR), der.subarray(6 + lengthOfR)]
  return Buffer.concat(
    numbers.map((number) => Buffer.concat([Buffer.alloc(32), number]).subarray(-32)),
  )
}

describe('what is not well formed is not verified, and nothing is thrown:', () => {
  const { publicKey, privateKey } = newKeys()
  const key = parsePublicKey(publicKey)
  const timestamp = '1755427700'
  const body = Buffer.from('[]\r\n')
  const signature = sign(privateKey, timestamp, body)

  test.each<[string, string]>([
    ['nothing', ''],
    ['a word', 'signature'],
    ['not base64', '!!!!'],
    ['a line break', `${signature}\n`],
    ['two of them, as Node joins a doubled header', `${signature}, ${signature}`],
    ['two of them without a comma', signature + signature],
    ['a right one after something else', `!${signature}`],
    ['half of one', signature.slice(0, 48)],
    ['zeros', Buffer.alloc(72).toString('base64')],
    ['two zeros in DER', Buffer.from('3006020100020100', 'hex').toString('base64')],
    [
      'DER with a byte behind it',
      Buffer.from(`${Buffer.from(signature, 'base64').toString('hex')}00`, 'hex').toString(
        'base64',
      ),
    ],
    ['its two numbers side by side', sideBySide(signature).toString('base64')],
    ['very much', 'A'.repeat(1_000_000)],
  ])('as a signature, %s', (_, malformed) => {
    expect(verifySignature(key, timestamp, body, malformed)).toBe(false)
  })

  test.each([
    ['nothing', ''],
    ['a word', 'now'],
    ['a fraction', '1755427700.0'],
    ['a sign', '+1755427700'],
    ['a space', ' 1755427700'],
    ['two of them, as Node joins a doubled header', '1755427700, 1755427700'],
  ])('as a timestamp, %s, even where it is signed', (_, malformed) => {
    const signed = sign(privateKey, malformed, body)
    expect(verifySignature(key, malformed, body, signed)).toBe(false)
  })

  test('a timestamp that has taken the first byte of the body', () => {
    expect(verifySignature(key, timestamp, body, signature)).toBe(true)
    expect(verifySignature(key, `${timestamp}[`, body.subarray(1), signature)).toBe(false)
  })
})

test('a body is signed as bytes, whatever they mean', () => {
  const { publicKey, privateKey } = newKeys()
  const key = parsePublicKey(publicKey)
  const body = Buffer.from([0xff, 0xfe, 0x00, 0xc3, 0x28, 0x0d, 0x0a])
  const signature = sign(privateKey, '1755427700', body)
  expect(verifySignature(key, '1755427700', body, signature)).toBe(true)
  const decoded = Buffer.from(body.toString('utf8'))
  expect(verifySignature(key, '1755427700', decoded, signature)).toBe(false)
})

const pem = (der: string): string =>
  `-----BEGIN PUBLIC KEY-----\n${der.slice(0, 64)}\n${der.slice(64)}\n-----END PUBLIC KEY-----\n`

describe('a public key', () => {
  test.each<[string, (key: string) => string]>([
    ['as SendGrid shows it', (key) => key],
    ['with white space around it', (key) => ` ${key}\n`],
    ['broken over lines', (key) => `${key.slice(0, 64)}\r\n${key.slice(64)}`],
    ['in PEM', pem],
  ])('is read %s', (_, write) => {
    for (const vector of vectors) {
      const key = parsePublicKey(write(vector.publicKey))
      expect(verify({ ...signedOf(vector), key })).toBe(true)
    }
  })

  const exported = (type: 'rsa' | 'p-384' | 'ed25519'): string => {
    const key =
      type === 'rsa'
        ? generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey
        : type === 'p-384'
          ? generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).publicKey
          : generateKeyPairSync('ed25519').publicKey
    return key.export({ type: 'spki', format: 'der' }).toString('base64')
  }

  const { privateKey } = newKeys()
  const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey
  const bare = (key: KeyObject, type: 'pkcs8' | 'sec1' | 'pkcs1'): string =>
    key.export({ type, format: 'der' }).toString('base64')

  test.each([
    ['an API key', 'SG.abc.def', /is an API key/],
    ['an API key with white space', ' SG.abc.def\n', /is an API key/],
    ['a word', 'verification key', /is not a public key: .*MFkwEwYH/],
    ['half of one', (vectors[0]?.publicKey ?? '').slice(0, 60), /is not a public key/],
    [
      'a private key in PEM',
      String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
      /is a private key: .*MFkwEwYH/,
    ],
    [
      'a private key in PEM, broken off',
      String(privateKey.export({ type: 'sec1', format: 'pem' })).slice(0, 90),
      /is a private key/,
    ],
    ['a bare private key', bare(privateKey, 'pkcs8'), /is a private key/],
    ['a bare private key as OpenSSL writes it', bare(privateKey, 'sec1'), /is a private key/],
    ['a bare private RSA key', bare(rsa, 'pkcs1'), /is a private key/],
    ['an RSA key', exported('rsa'), /P-256/],
    ['a key on another curve', exported('p-384'), /P-256/],
    ['an Ed25519 key', exported('ed25519'), /P-256/],
  ])('is not %s', (_, text, message) => {
    expect(() => parsePublicKey(text)).toThrow(ConfigurationError)
    expect(() => parsePublicKey(text)).toThrow(message)
    expect(() => parsePublicKey(text)).not.toThrow(text.trim().slice(0, 40))
  })

  test('that is an API key is told apart, for there is another place to look for it', () => {
    expect(() => parsePublicKey('SG.abc.def')).toThrow(ApiKeyError)
    expect(() => parsePublicKey('no key')).not.toThrow(ApiKeyError)
  })

  test('is named as the option that it was given as', () => {
    expect(() => parsePublicKey('no key', 'the option')).toThrow(/^the option is not/)
    expect(() => parsePublicKey('no key')).toThrow(/^sendgridWebhook: publicKey is not/)
  })
})
