import type { Refusal } from './provider.js'

export type BodyReading = { kind: 'read'; body: Buffer } | Refusal

/** What a body may take. */
export interface BodyLimits {
  /** In bytes. */
  size: number
  /** From its first byte to its last, in ms. */
  time: number
  /** Whether so many bytes more may be held now, by all requests together. */
  reserve(bytes: number): boolean
}

/** A body that is read piece by piece, and never beyond its limits. */
export async function readBody(
  pieces: AsyncIterator<Uint8Array>,
  limits: BodyLimits,
): Promise<BodyReading> {
  const read: Uint8Array[] = []
  let size = 0
  const expiry = expiryAfter(limits.time)
  try {
    for (;;) {
      const piece = await Promise.race([pieces.next(), expiry.late])
      if (piece === 'late') return tooSlow(limits.time)
      if (piece.done) return { kind: 'read', body: Buffer.concat(read) }
      size += piece.value.length
      if (size > limits.size) return tooLarge(limits.size)
      if (!limits.reserve(piece.value.length)) return overloaded
      read.push(piece.value)
    }
  } catch {
    const detail = 'the connection broke before the body was whole'
    return { kind: 'refused', reason: 'incomplete', detail }
  } finally {
    expiry.end()
    // Not waited for: while a piece is on its way it does not end.
    pieces.return?.().catch(() => {})
  }
}

export function tooLarge(limit: number): Refusal {
  return { kind: 'refused', reason: 'too-large', detail: `the body is over ${limit} bytes` }
}

/** A body that the host has read already, held to the same limits. */
export function bodyAtHand(body: Buffer, { size, reserve }: BodyLimits): BodyReading {
  if (body.length > size) return tooLarge(size)
  return reserve(body.length) ? { kind: 'read', body } : overloaded
}

const overloaded: Refusal = {
  kind: 'refused',
  reason: 'overloaded',
  detail: 'too many bodies are being read at once',
}

function tooSlow(limit: number): Refusal {
  const detail = `the body was not whole within ${limit} ms`
  return { kind: 'refused', reason: 'too-slow', detail }
}

function expiryAfter(limit: number): { late: Promise<'late'>; end: () => void } {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), limit)
  })
  return { late, end: () => clearTimeout(timer) }
}

/** How many bytes the bodies of all requests may hold together. */
export interface BodyBudget {
  /** For one request: what it reserves is given back at its end. */
  open(): { reserve(bytes: number): boolean; release(): void }
}

export function createBodyBudget(most: number): BodyBudget {
  let held = 0
  return {
    open() {
      let mine = 0
      return {
        reserve(bytes) {
          if (held + bytes > most) return false
          held += bytes
          mine += bytes
          return true
        },
        release() {
          held -= mine
          mine = 0
        },
      }
    },
  }
}
