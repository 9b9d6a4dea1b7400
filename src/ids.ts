import { hash } from 'node:crypto'

/** A UUID as its 16 bytes: as text it would take more than twice the room in every index. */
export function toBytes(id: string): Buffer {
  return Buffer.from(id.replaceAll('-', ''), 'hex')
}

/** The UUID of 16 bytes. */
export function fromBytes(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/**
 * 16 bytes for a text of any length: databases bound what can be indexed, and addresses and ids
 * come from outside. Two texts with the same are as likely as two equal random UUIDs.
 */
export function digest(text: string): Buffer {
  return hash('sha256', text, 'buffer').subarray(0, 16)
}
