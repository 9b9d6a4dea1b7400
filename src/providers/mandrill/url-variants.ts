import type { WebhookRequestHead } from '../../provider.js'

/** The parts of a URL to the letter, each with what parts it from the others. */
interface UrlParts {
  scheme: string
  userinfo: string
  host: string
  port: string
  path: string
  query: string
}

const partNames = ['scheme', 'userinfo', 'host', 'port', 'path', 'query'] as const

export interface UrlVariant {
  url: string
  /** What it has that the configured one has not, in words that give nothing of it away. */
  differences: string[]
}

// Behind each proxy that may change a URL there is another thing to try; beyond this it is guessing.
const mostVariants = 400

/**
 * The URLs that may have been meant by a configured one, the likeliest first: with what proxies and
 * people change, and as the request has it.
 */
export function variantsOf(url: string, request: WebhookRequestHead): UrlVariant[] {
  const configured = partsOf(url)
  if (!configured) return []
  let variants: UrlParts[] = [configured]
  const alternatives = alternativesTo(configured, request)
  for (const name of partNames) {
    const values = new Set([configured[name], ...alternatives[name]])
    variants = variants.flatMap((variant) =>
      [...values].map((value) => ({ ...variant, [name]: value })),
    )
  }
  return variants
    .map((variant) => ({
      url: written(variant),
      differences: partNames
        .filter((name) => variant[name] !== configured[name])
        .map((name) => differences[name](configured[name], variant[name])),
    }))
    .filter((variant) => variant.differences.length > 0)
    .toSorted((a, b) => a.differences.length - b.differences.length)
    .slice(0, mostVariants)
}

/** By hand, for `URL` would write it otherwise than it was entered. */
function partsOf(url: string): UrlParts | undefined {
  const [found, scheme = '', userinfo = '', host = '', port = '', path = '', query = ''] =
    /^(https?):\/\/([^/?#]*@)?(\[[^\]/?#]*\]|[^:/?#]*)(:\d+)?([^?#]*)([?#][\s\S]*)?$/i.exec(url) ??
    []
  return found === undefined ? undefined : { scheme, userinfo, host, port, path, query }
}

const written = ({ scheme, userinfo, host, port, path, query }: UrlParts): string =>
  `${scheme}://${userinfo}${host}${port}${path}${query}`

function alternativesTo(
  { path }: UrlParts,
  request: WebhookRequestHead,
): Record<keyof UrlParts, string[]> {
  const hosts = ['host', 'x-forwarded-host'].flatMap((name) => {
    // Every proxy may have added one; the first is what was asked for.
    const [first = ''] = request.header(name)?.split(',') ?? []
    return partsOf(`https://${first.trim()}`) ?? []
  })
  const asked = partsOf(`https://host${request.target}`)
  return {
    scheme: ['https', 'http'],
    userinfo: ['', ...credentialsOf(request)],
    host: hosts.map(({ host }) => host).filter(Boolean),
    port: ['', ':443', ':80', ...hosts.map(({ port }) => port)],
    path: [toggled(path), ...(asked ? [asked.path, toggled(asked.path)] : [])],
    query: ['', ...(asked ? [asked.query] : [])],
  }
}

const toggled = (path: string): string => (path.endsWith('/') ? path.slice(0, -1) : `${path}/`)

/** Of a URL with user and password Mandrill makes a header of its own, and signs the URL with them. */
function credentialsOf(request: WebhookRequestHead): string[] {
  const [, encoded = ''] = /^basic (\S+)$/i.exec(request.header('authorization') ?? '') ?? []
  const [user = '', ...password] = Buffer.from(encoded, 'base64').toString('utf8').split(':')
  if (password.length === 0) return []
  const pair = [user, password.join(':')]
  return [pair, pair.map(encodeURIComponent)].map((both) => `${both.join(':')}@`)
}

/** Says that a part differs and never what is in it: a path, a query or credentials may be secrets. */
const differences: Record<keyof UrlParts, (configured: string, other: string) => string> = {
  scheme: (_, other) => `with ${other.toLowerCase()}`,
  userinfo: orOther('user and password'),
  host: () => 'with another host',
  port: orOther('port'),
  path: (configured, other) => {
    if (other === `${configured}/`) return 'with a trailing slash'
    return configured === `${other}/` ? 'without the trailing slash' : 'with another path'
  },
  query: orOther('query'),
}

function orOther(part: string): (configured: string, other: string) => string {
  return (configured, other) => {
    if (other === '') return `without its ${part}`
    return configured === '' ? `with a ${part}` : `with another ${part}`
  }
}
