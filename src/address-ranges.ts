import { BlockList, isIP } from 'node:net'
import { ConfigurationError } from './errors.js'

/** A set of IP addresses. */
export interface AddressRanges {
  has(address: string): boolean
}

// What proxies on the same machine or in the same private network have.
const named: Record<string, readonly string[]> = {
  loopback: ['127.0.0.0/8', '::1'],
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7', 'fe80::/10'],
}

/**
 * The addresses of a list: single ones, CIDR ranges, IPv4 or IPv6, and the words `loopback` and
 * `private`.
 *
 * @throws ConfigurationError for what is none of these
 */
export function addressRanges(option: string, ranges: readonly string[]): AddressRanges {
  if (!Array.isArray(ranges)) throw new ConfigurationError(`${option} must be a list of addresses`)
  const list = new BlockList()
  for (const range of ranges.flatMap((entry) => named[String(entry)] ?? String(entry))) {
    add(option, list, range)
  }
  return {
    has(address) {
      const family = familyOf(address)
      return family !== undefined && list.check(address, family)
    },
  }
}

function add(option: string, list: BlockList, range: string): void {
  const [address = '', prefix, ...more] = range.trim().split('/')
  const family = familyOf(address)
  const most = family === 'ipv4' ? 32 : 128
  const length = prefix === undefined ? most : Number(prefix)
  const proper = prefix === undefined || (/^\d{1,3}$/.test(prefix) && length <= most)
  if (family === undefined || !proper || more.length > 0) {
    throw new ConfigurationError(
      `${option}: ${JSON.stringify(range)} is no address and no CIDR range: write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32`,
    )
  }
  list.addSubnet(address, length, family)
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  const version = isIP(address)
  if (version === 0) return undefined
  return version === 4 ? 'ipv4' : 'ipv6'
}

/**
 * Who a request comes from: the peer of the connection, and behind trusted proxies the last address in
 * `X-Forwarded-For` that is not one of theirs. What stands before that is anybody's word.
 */
export function clientAddress(
  peer: string | undefined,
  forwardedFor: string | undefined,
  trusted: AddressRanges,
): string | undefined {
  let address = bareAddress(peer)
  const hops = forwardedFor?.split(',') ?? []
  while (address !== undefined && trusted.has(address) && hops.length > 0) {
    address = bareAddress(hops.pop())
  }
  return address
}

/** Without port, brackets and zone; a mapped IPv4 address as such. Undefined when it is no address. */
function bareAddress(text: string | undefined): string | undefined {
  const trimmed = text?.trim() ?? ''
  const unwrapped =
    /^\[([^\]]+)\](?::\d+)?$/.exec(trimmed)?.[1] ??
    /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(trimmed)?.[1] ??
    trimmed
  const address = unwrapped.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '')
  return isIP(address) === 0 ? undefined : address
}
