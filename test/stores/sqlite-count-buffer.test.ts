import { expect, test } from '@jest/globals'
import type { CountChange, Counted } from '../../src/store.js'
import { createCountBuffer } from '../../src/stores/sqlite-count-buffer.js'

const change = (value: string, counts: Partial<Record<Counted, number>>): CountChange => ({
  start: 0,
  provider: 'p',
  dimension: 'tag',
  value,
  counts,
})

function buffering() {
  const written: CountChange[] = []
  return { buffer: createCountBuffer((one) => written.push(one)), written }
}

test('what several pieces of work add to one row is written once', () => {
  const { buffer, written } = buffering()
  const first = change('a', { messages: 1, pending: 1 })
  buffer.add([first, change('b', { messages: 1 })])
  buffer.keep()
  buffer.add([change('a', { pending: -1, accepted: 1 })])
  buffer.add([change('a', { messages: 1 })])
  buffer.keep()
  expect(written).toEqual([])
  buffer.write()
  expect(written).toEqual([
    change('a', { messages: 2, pending: 0, accepted: 1 }),
    change('b', { messages: 1 }),
  ])
  expect(first).toEqual(change('a', { messages: 1, pending: 1 }))
  buffer.write()
  expect(written).toHaveLength(2)
})

test('what was undone is not written', () => {
  const { buffer, written } = buffering()
  buffer.add([change('a', { messages: 1 })])
  buffer.drop()
  buffer.add([change('b', { messages: 1 })])
  buffer.keep()
  buffer.write()
  expect(written).toEqual([change('b', { messages: 1 })])
  buffer.add([change('c', { messages: 1 })])
  buffer.keep()
  buffer.add([change('d', { messages: 1 })])
  buffer.clear()
  buffer.keep()
  buffer.write()
  expect(written).toHaveLength(1)
})
