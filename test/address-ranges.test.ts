import { describe, expect, test } from '@jest/globals'
import { addressRanges, clientAddress } from '../src/address-ranges.js'

describe('the address of a caller', () => {
  const trusted = addressRanges('trusted', ['loopback', '10.0.0.0/8', 'fd00::/8'])

  test.each([
    ['is that of the connection', '192.0.2.1', undefined, '192.0.2.1'],
    ['is not what a stranger says', '192.0.2.1', '203.0.113.1', '192.0.2.1'],
    ['is what a trusted proxy says', '127.0.0.1', '203.0.113.1', '203.0.113.1'],
    [
      'is the last that no proxy of ours has',
      '::1',
      '1.1.1.1, 203.0.113.1, 10.0.0.2',
      '203.0.113.1',
    ],
    ['is the first proxy where all are ours', '127.0.0.1', '10.0.0.1, 10.0.0.2', '10.0.0.1'],
    ['is a proxy that forwards nothing', '127.0.0.1', undefined, '127.0.0.1'],
    ['may be IPv4 in IPv6', '::ffff:127.0.0.1', '::ffff:203.0.113.1', '203.0.113.1'],
    ['may have a port', '127.0.0.1', '203.0.113.1:4711', '203.0.113.1'],
    ['may have brackets', '127.0.0.1', '[2001:db8::1]:4711', '2001:db8::1'],
    ['may have a zone', 'fe80::1%eth0', undefined, 'fe80::1'],
    ['is nobody where a proxy says so', '127.0.0.1', '203.0.113.1, unknown', undefined],
    ['is nobody where a proxy says nothing', '127.0.0.1', '', undefined],
    ['is nobody where the server does not tell', undefined, '203.0.113.1', undefined],
  ])('%s', (_, peer, forwarded, expected) => {
    expect(clientAddress(peer, forwarded, trusted)).toBe(expected)
  })
})
