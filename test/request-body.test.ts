import { describe, expect, test } from '@jest/globals'
import { setTimeout as delay } from 'node:timers/promises'
import { readBody } from '../src/request-body.js'

const limits = { size: 10, time: 1000, reserve: () => true }

/** Pieces of a body, and whether whoever makes them was told that no more are wanted. */
function piecesOf(...pieces: string[]) {
  const state = { ended: false }
  async function* make(): AsyncGenerator<Uint8Array> {
    try {
      for (const piece of pieces) yield Buffer.from(piece)
    } finally {
      state.ended = true
    }
  }
  return { state, pieces: make() }
}

describe('a body that is read piece by piece', () => {
  test('is whole at its end', async () => {
    const { pieces } = piecesOf('ab', '', 'cd')
    expect(await readBody(pieces, limits)).toEqual({ kind: 'read', body: Buffer.from('abcd') })
  })

  test.each([
    ['it is too large', limits, 'too-large'],
    ['there is no room for it', { ...limits, reserve: () => false }, 'overloaded'],
  ])('is asked for no further when %s', async (_, bounds, reason) => {
    const { pieces, state } = piecesOf('abcdefgh', 'ijklmnop', 'never')
    expect(await readBody(pieces, bounds)).toMatchObject({ kind: 'refused', reason })
    expect(state.ended).toBe(true)
  })

  test('that breaks after it was given up disturbs nobody', async () => {
    const pieces = {
      async next(): Promise<IteratorResult<Uint8Array>> {
        await delay(30)
        throw new Error('cut')
      },
    }
    expect(await readBody(pieces, { ...limits, time: 5 })).toMatchObject({ reason: 'too-slow' })
    // An unhandled rejection would fail this test.
    await delay(60)
  })

  test('that breaks is incomplete', async () => {
    const pieces = { next: () => Promise.reject(new Error('cut')) }
    expect(await readBody(pieces, limits)).toMatchObject({ reason: 'incomplete' })
  })
})
