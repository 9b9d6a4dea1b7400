import { hash } from 'node:crypto'

/** A UUID as its 16 bytes: as text it would take more than twice the room in every index. */
export function toBytes(id: string): Buffer {
  const hex = id.slice(0, 8) + id.slice(9, 13) + id.slice(14, 18) + id.slice(19, 23) + id.slice(24)
  return Buffer.from(hex, 'hex')
}

/** The UUID of 16 bytes. */
export function fromBytes(bytes: Uint8Array): string {
  return fromHex(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex'))
}

function fromHex(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/**
 * A UUID (version 8, RFC 9562) of a time, in ms since 1970, and a text: the same for the same input, and growing
 * with time, so that a store's index grows at one end.
 */
export function timedId(milliseconds: number, text: string): string {
  const hex = sha256(text)
  const time = Math.floor(milliseconds).toString(16).padStart(12, '0')
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0b11) | 0b1000).toString(16)
  return fromHex(`${time}8${hex.slice(13, 16)}${variant}${hex.slice(17, 32)}`)
}

/** In hex, which Node makes in half the time that a buffer takes. */
export function sha256(text: string): string {
  return hash('sha256', text, 'hex')
}

/**
 * 16 bytes for a text of any length: databases bound what can be indexed, and addresses and ids
 * come from outside. Two texts with the same are as likely as two equal random UUIDs.
 */
export function digest(text: string): Buffer {
  return Buffer.from(sha256(text).slice(0, 32), 'hex')
}
