/** How a URL differs from the one that was meant, where it is meant to be the same one. */
export type UrlDifference = 'wrong-scheme' | 'trailing-slash' | 'other-url'

/**
 * What tells a URL from another of the same host; empty where they are equal to the letter, and undefined
 * where they are of different hosts.
 */
export function urlDifferences(meant: string, other: string): UrlDifference[] | undefined {
  if (meant === other) return []
  if (!URL.canParse(meant) || !URL.canParse(other)) return undefined
  const one = new URL(meant)
  const two = new URL(other)
  if (one.host !== two.host) return undefined
  const slash = one.pathname.endsWith('/') !== two.pathname.endsWith('/')
  const differences: UrlDifference[] = [
    ...(one.protocol === two.protocol ? [] : (['wrong-scheme'] as const)),
    ...(slash ? (['trailing-slash'] as const) : []),
  ]
  const isSame = withoutSlash(one) === withoutSlash(two) && restOf(one) === restOf(two)
  return isSame && differences.length > 0 ? differences : ['other-url']
}

const withoutSlash = ({ pathname }: URL): string => pathname.replace(/\/$/, '')

const restOf = ({ username, password, search }: URL): string =>
  JSON.stringify([username, password, search])

/** The URL with the other scheme, or with or without its last slash. */
export function toggled(url: string, difference: 'wrong-scheme' | 'trailing-slash'): string {
  if (difference === 'wrong-scheme') {
    return /^https:/i.test(url) ? url.replace(/^https/i, 'http') : url.replace(/^http/i, 'https')
  }
  const [, path = '', query = ''] = /^([^?]*)(\?.*)?$/.exec(url) ?? []
  return (path.endsWith('/') ? path.slice(0, -1) : `${path}/`) + query
}
