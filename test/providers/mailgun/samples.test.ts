import { describe, expect, test } from '@jest/globals'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { eventsIn, readPost, sample, written } from './reading.js'

const folder = join(__dirname, 'fixtures')
const files = readdirSync(folder).filter((name) => name.includes('.request.'))
const expected = (file: string): unknown =>
  JSON.parse(readFileSync(join(folder, file.replace(/\.request\..*/, '.events.json')), 'utf8'))

describe('the sample', () => {
  test.each(files)('%s is read as is written beside it', async (file) => {
    expect(written(eventsIn(await readPost(sample(file))))).toEqual(expected(file))
  })

  test.each(files.filter((file) => file.endsWith('.json')))(
    '%s is kept as it came',
    async (file) => {
      const post = sample(file)
      const events = eventsIn(await readPost(post))
      expect(events.map(({ raw }) => raw)).toEqual([JSON.parse(post.body.toString())['event-data']])
    },
  )

  test('is one of each that Mailgun sends', () => {
    const count = (ending: string): number => files.filter((file) => file.endsWith(ending)).length
    expect([count('.json'), count('.form'), count('.multipart')]).toEqual([15, 7, 4])
  })
})
