import { Readable } from 'node:stream'

const pieceSize = 64 * 1024

/** Bytes as a stream of pieces: who reads it may stop, or let others have a turn, between two of them. */
export function streamOf(bytes: Uint8Array): Readable {
  return Readable.from(piecesOf(bytes), { objectMode: false })
}

function* piecesOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += pieceSize) {
    yield bytes.subarray(start, start + pieceSize)
  }
}
