import { ConfigurationError } from './errors.js'
import type { WebhookRequest } from './provider.js'

/**
 * A request whose body is there as raw bytes: one of Express behind `express.raw()`, or whose host keeps
 * `rawBody`, or the event of a cloud function.
 */
export interface VerifiableRequest {
  method?: string | undefined
  url?: string | undefined
  headers: Headers | Readonly<Record<string, string | readonly string[] | undefined>>
  /** The bytes as they came, or their text; it goes before `body`. */
  rawBody?: Uint8Array | string | undefined
  /** The bytes as they came, or their text. What a parser made of them cannot be verified. */
  body?: unknown
}

/** The request as a webhook reads it; undefined when its raw body is not there. */
export function toWebhookRequest(request: VerifiableRequest): WebhookRequest | undefined {
  const body = bytesOf(request.rawBody) ?? bytesOf(request.body)
  if (!body) return undefined
  const { headers } = request
  const header = isHeaders(headers)
    ? (name: string) => headers.get(name) ?? undefined
    : plainHeaders(headers)
  return { method: request.method ?? 'POST', target: request.url ?? '/', header, body }
}

function isHeaders(headers: VerifiableRequest['headers']): headers is Headers {
  return typeof headers.get === 'function'
}

function plainHeaders(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
): WebhookRequest['header'] {
  const byName = new Map(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const),
  )
  return (name) => {
    const value = byName.get(name)
    return typeof value === 'object' ? value.join(', ') : value
  }
}

function bytesOf(value: unknown): Buffer | undefined {
  if (typeof value === 'string') return Buffer.from(value)
  if (!(value instanceof Uint8Array)) return undefined
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}

/** Runs a check that must not throw, whatever it is given; a wrong configuration is warned of, once. */
export function neverThrows(name: string, check: () => boolean): boolean {
  try {
    return check()
  } catch (error) {
    // Of other errors only the kind is told: their text may hold what a stranger has sent.
    const known = error instanceof ConfigurationError ? error.message : undefined
    warnOnce(`${name}: ${known ?? `it was given no request that it can read (${kindOf(error)})`}`)
    return false
  }
}

const kindOf = (error: unknown): string => (error instanceof Error ? error.name : typeof error)

const warned = new Set<string>()

function warnOnce(text: string): void {
  if (warned.has(text)) return
  warned.add(text)
  process.emitWarning(text, 'MailtrailWarning')
}
