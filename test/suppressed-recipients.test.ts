import { describe, expect, jest, test } from '@jest/globals'
import nodemailer from 'nodemailer'
import {
  createCorrelator,
  failoverTransport,
  type MailOptions,
  memoryStore,
  SendError,
  type Store,
} from '../src/index.js'
import { outsideClient, outsideTransport } from './outside-transport.js'

const mail: MailOptions = {
  from: 'shop@example.com',
  to: ['Ann <ann@example.org>', 'bob@example.org'],
  cc: 'cid@example.org',
  subject: 'Hello',
  text: 'Hi',
}

function sending(store: Store = memoryStore()) {
  const correlator = createCorrelator({ store })
  const client = outsideClient({
    carries: new Set(['outside']),
    groupsOf: ({ group }) => (group === undefined ? [] : [String(group)]),
  })
  const transporter = nodemailer.createTransport(outsideTransport(client, { correlator }))
  return { correlator, client, transporter }
}

const addresses = (list: readonly { address: string }[] | undefined) =>
  list?.map(({ address }) => address)

describe('a recipient who must not be mailed', () => {
  test('is left out of the message, and stands in the result with the reason', async () => {
    const { correlator, client, transporter } = sending()
    await correlator.suppressions.add('ANN@example.org', { cause: 'complained' })
    const info = await transporter.sendMail(mail)
    expect(info.accepted).toEqual(['bob@example.org', 'cid@example.org'])
    expect(info.rejected).toEqual(['ann@example.org'])
    expect(info.recipients.find(({ address }) => address === 'ann@example.org')).toMatchObject({
      kind: 'to',
      status: 'rejected',
      reason: expect.stringMatching(/^suppressed since .*Z, for its owner complained of spam$/),
    })
    expect(addresses(client.sent[0]?.mail.to)).toEqual(['bob@example.org'])
    const [message] = (await correlator.find()).messages
    expect(message?.recipients.map(({ status }) => status).toSorted()).toEqual([
      'accepted',
      'accepted',
      'rejected',
    ])
  })

  test('is one who is added again in the very moment of being taken off', async () => {
    const { correlator } = sending()
    const { suppressions } = correlator
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate', 'setTimeout'] })
    try {
      await suppressions.add('ann@example.org')
      expect(await suppressions.remove('ann@example.org')).toBe(1)
      expect(await suppressions.get('ann@example.org')).toEqual([])
      await suppressions.add('ann@example.org')
      expect(await suppressions.get('ann@example.org')).toHaveLength(1)
    } finally {
      jest.useRealTimers()
    }
  })

  test('gets nothing by an envelope of the message either', async () => {
    const { correlator, client, transporter } = sending()
    await correlator.suppressions.add('ann@example.org')
    await expect(
      transporter.sendMail({
        ...mail,
        to: 'ann@example.org',
        cc: '',
        envelope: { from: 'shop@example.com', to: ['ann@example.org'] },
      }),
    ).rejects.toThrow('suppressed since')
    expect(client.sent).toEqual([])
  })

  test('is one for a group alone where that is so', async () => {
    const { correlator, client, transporter } = sending()
    const scope = { kind: 'group', id: '7' } as const
    await correlator.suppressions.add('ann@example.org', { scope, provider: 'outside' })
    await transporter.sendMail(mail)
    const ofGroup = (group: number): MailOptions & { outside: object } => ({
      ...mail,
      outside: { group },
    })
    await transporter.sendMail(ofGroup(7))
    await transporter.sendMail(ofGroup(8))
    expect(client.sent.map((sent) => addresses(sent.mail.to)?.length)).toEqual([2, 1, 2])
  })

  test('is told once of a message that goes to another provider', async () => {
    const { correlator, client } = sending()
    await correlator.suppressions.add('ann@example.org')
    const down = outsideClient({
      send: async () => {
        const details = { category: 'server', retryable: false, outcome: 'not-sent' } as const
        throw new SendError('it is down', details)
      },
    })
    const transport = failoverTransport([
      outsideTransport(down, { correlator, retries: 0 }),
      outsideTransport(client, { correlator }),
    ])
    const info = await nodemailer.createTransport(transport).sendMail(mail)
    expect(info.rejected).toEqual(['ann@example.org'])
    expect(info.accepted).toEqual(['bob@example.org', 'cid@example.org'])
  })

  test('is mailed by a message that ignores suppressions, which must say so plainly', async () => {
    const { correlator, transporter } = sending()
    await correlator.suppressions.add('ann@example.org')
    expect(await transporter.sendMail({ ...mail, ignoreSuppressions: true })).toMatchObject({
      rejected: [],
    })
    const wrong: object = { ...mail, ignoreSuppressions: 'yes' }
    await expect(transporter.sendMail(wrong)).rejects.toThrow(
      'ignoreSuppressions must be true or false',
    )
  })

  test('keeps a message from being sent while nobody can know', async () => {
    const store = memoryStore()
    store.suppressionsOf = () => Promise.reject(new Error('the database is away'))
    const { client, transporter } = sending(store)
    await expect(transporter.sendMail(mail)).rejects.toMatchObject({
      outcome: 'not-sent',
      retryable: true,
      message: expect.stringContaining('the database is away'),
    })
    expect(client.sent).toEqual([])
  })
})
