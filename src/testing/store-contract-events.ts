import { equal } from 'node:assert/strict'
import { batchOf, recordOf, type SampleEvent, start } from './store-samples.js'
import { same } from './comparing.js'
import { add, byFirst, type Checks, each, ingest, statusOf } from './store-steps.js'

/** A change of a list, with dates that are dates, and texts that only look so. */
const suppression = {
  type: 'suppression',
  list: 'reject',
  action: 'added',
  address: 'ann@example.com',
  expiresAt: new Date(start + 9000),
  recipient: 'ann@example.com',
  metadata: { occurredAt: '2020-01-01' },
  raw: { receivedAt: '2020-01-01', list: [{ ü: null, n: 0.1, no: false }] },
} satisfies SampleEvent

/** A mail that came in, with what no other event has. */
const reply = {
  type: 'inbound',
  recipient: 'box@in.example.com',
  messageId: '<reply@example.com>',
  mail: {
    envelope: { from: 'ann@example.com', to: ['box@in.example.com'] },
    from: { name: 'Ann', address: 'ann@example.com' },
    to: [],
    cc: [],
    replyTo: [],
    subject: 'Re: Order – “thanks” 🎉',
    date: new Date(start + 100),
    messageId: '<reply@example.com>',
    inReplyTo: '<unknown@example.com>',
    references: ['<unknown@example.com>'],
    text: 'Thanks\r\n\tüñ',
    attachments: [
      { contentType: 'text/plain', size: 1, content: { kind: 'embedded', base64: 'eA==' } },
    ],
    inline: {},
    headers: [{ name: 'X', value: '2020-01-01T00:00:00.000Z' }],
    problems: [],
  },
} satisfies SampleEvent

const { expiresAt: _expiresAt, ...endless } = suppression
const { date: _date, ...undated } = reply.mail

/** Events come back as they came. */
export const eventChecks: Checks = {
  ...each<readonly [description: string, sample: SampleEvent]>(
    [
      ['a change of a list', suppression],
      ['a change of a list that has no end', endless],
      ['an inbound mail', reply],
      ['an inbound mail that is not dated', { ...reply, mail: undated }],
    ],
    ([description]) => `${description} comes back as it came, its dates as dates`,
    async ({ store, other }, [, sample]) => {
      const record = recordOf('ann@example.com')
      await add(store, record)
      const batch = batchOf({ ...sample, ownId: record.trackingId })
      const result = await ingest(store, batch)
      const expected = {
        ...batch.events[0]?.event,
        trackingId: record.trackingId,
        correlation: { status: 'matched', via: 'own-id' },
      }
      same((await other.message(record.trackingId))?.events, [expected])
      same(
        result.deliveries.map(({ event }) => event),
        [expected],
      )
      same(result.trackingIds, [record.trackingId])
      // It says nothing of how the message fares.
      equal(await statusOf(store, record), 'pending')
    },
  ),

  'tells an inbound mail at once that answers nothing known': async ({ store }) => {
    const result = await ingest(store, batchOf(reply))
    equal(result.waiting, 0)
    same(
      result.deliveries.map(({ event }) => event.correlation),
      [{ status: 'foreign' }],
    )
  },

  async 'a checkpoint is written with its events, in place of the one before'({ store, other }) {
    const checkpoint = { name: 'backfill of postmark – „a“', position: 'p-1' }
    equal(await store.checkpoint(checkpoint.name), undefined)
    await store.ingest({ ...batchOf({ type: 'delivered' }), checkpoint }, byFirst)
    equal(await other.checkpoint(checkpoint.name), 'p-1')
    await store.ingest({ events: [], checkpoint: { ...checkpoint, position: '' } }, byFirst)
    equal(await other.checkpoint(checkpoint.name), '')
    equal(await other.checkpoint('another'), undefined)
  },
}
