import { describe, expect, test } from '@jest/globals'
import type { InboundMail, ParsedEvent } from '../src/event.js'
import { matchKeys, toIncoming } from '../src/matching.js'
import { bareMail } from './inbound-sample.js'

const receivedAt = new Date(1_760_000_100_000)
const happened = 1_760_000_000_000
const bare = { providerEvent: 'name', tags: ['a'], metadata: { b: 'c' }, raw: { d: 1 } }
const timed = { ...bare, occurredAt: new Date(happened) }
const mailOf = (answers: Partial<InboundMail>): InboundMail => ({
  ...bareMail,
  ...answers,
})
const inbound = (answers: Partial<InboundMail>, more: Partial<ParsedEvent> = {}): ParsedEvent => ({
  ...timed,
  recipient: 'Shop@example.com',
  messageId: '<reply@example.com>',
  ...more,
  type: 'inbound',
  mail: mailOf(answers),
})

describe('an event goes to the store', () => {
  const ids = {
    ownId: '01890a5d-ac96-774b-bcce-b302099a8057',
    providerMessageId: 'p-1',
    messageId: '<m-1@example.com>',
    discriminator: 'd',
  }

  test('with what was told, and without what only its id is made of', () => {
    const incoming = toIncoming(
      'postmark',
      { ...timed, ...ids, type: 'delivered', recipient: 'Ann@example.com' },
      receivedAt,
    )
    expect(incoming).toStrictEqual({
      event: {
        ...timed,
        id: expect.any(String),
        type: 'delivered',
        provider: 'postmark',
        recipient: 'Ann@example.com',
        providerMessageId: 'p-1',
        messageId: '<m-1@example.com>',
        receivedAt,
        correlation: { status: 'pending' },
      },
      matchKeys: [
        { via: 'own-id', key: ids.ownId },
        { via: 'provider-id', key: 'provider-id:postmark:p-1' },
        { via: 'message-id', key: 'message-id:postmark:m-1@example.com' },
      ],
      address: 'ann@example.com',
    })
  })

  test.each<[string, Partial<ParsedEvent>, string]>([
    ['our id', { ownId: ids.ownId }, 'pending'],
    ['the provider’s id', { providerMessageId: 'p-1' }, 'pending'],
    ['a Message-ID', { messageId: '<m-1@example.com>' }, 'pending'],
    ['an empty Message-ID', { messageId: '<>' }, 'foreign'],
    ['a recipient alone', { recipient: 'ann@example.com' }, 'foreign'],
  ])('and with %s it is %s', (_, origin, status) => {
    const parsed: ParsedEvent = { ...timed, ...origin, type: 'delivered' }
    const { event } = toIncoming('postmark', parsed, receivedAt)
    expect(event.correlation).toStrictEqual({ status })
  })

  test('with nothing to find a recipient by where it names none', () => {
    const incoming = toIncoming('postmark', { ...timed, type: 'delivered' }, receivedAt)
    expect(Object.keys(incoming).toSorted()).toEqual(['event', 'matchKeys'])
  })

  test('with the key of the provider’s id for it', () => {
    const known: ParsedEvent = { ...timed, type: 'delivered', providerEventId: 'e-1' }
    expect(toIncoming('postmark', known, receivedAt).providerKey).toMatch(/^[\da-f-]{36}$/)
  })

  test.each([0, happened, 2 ** 48 - 1])('with its own time where that is %d', (time) => {
    const parsed: ParsedEvent = { ...bare, occurredAt: new Date(time), type: 'delivered' }
    expect(toIncoming('postmark', parsed, receivedAt).event).toMatchObject({
      occurredAt: new Date(time),
      receivedAt,
    })
  })
})

describe('a message may be sought by its recipient', () => {
  const complaint: ParsedEvent = { ...timed, type: 'complained', recipient: 'ann@example.com' }
  const window = 60_000
  const sentWithin = (parsed: ParsedEvent, recipientWindow?: number) =>
    toIncoming('postmark', parsed, receivedAt, recipientWindow).sentWithin

  test('from the window before the event until five minutes after it', () => {
    const until = happened + 5 * 60_000
    expect(sentWithin(complaint, window)).toEqual({ from: happened - window, to: until })
    expect(sentWithin(complaint, 0)).toEqual({ from: happened, to: until })
  })

  test('around the time that it was received, where its own is not told', () => {
    const { occurredAt: _, ...untimed } = complaint
    expect(sentWithin(untimed, window)).toEqual({
      from: receivedAt.getTime() - window,
      to: receivedAt.getTime() + 5 * 60_000,
    })
  })

  test.each<[string, ParsedEvent, number | undefined]>([
    ['nobody asked for it', complaint, undefined],
    ['it has an id', { ...complaint, providerMessageId: 'p-1' }, window],
    ['it is a mail that was received', inbound({}), window],
  ])('and not where %s', (_, parsed, recipientWindow) => {
    expect(sentWithin(parsed, recipientWindow)).toBeUndefined()
  })
})

describe('a mail that was received', () => {
  const keysOf = (parsed: ParsedEvent, providers?: ReadonlySet<string>): string[] =>
    matchKeys('postmark', parsed, providers).map(({ via, key }) => `${via} ${key}`)
  const bothOf = (id: string, provider = 'postmark'): string[] => [
    `message-id message-id:${provider}:${id}`,
    `provider-id provider-id:${provider}:${id}`,
  ]

  test.each<[string, Partial<InboundMail>, string[]]>([
    ['nothing', {}, []],
    ['In-Reply-To', { inReplyTo: '<a@x>' }, bothOf('a@x')],
    [
      'References, the last first',
      { references: ['<a@x>', '<b@x>'] },
      ['b@x', 'a@x'].flatMap((id) => bothOf(id)),
    ],
    [
      'In-Reply-To before References',
      { inReplyTo: '<a@x>', references: ['<a@x>', '<b@x>'] },
      ['a@x', 'b@x'].flatMap((id) => bothOf(id)),
    ],
    ['what is no id', { inReplyTo: '<>', references: [' '] }, []],
  ])('finds what it answers by %s', (_, answers, keys) => {
    expect(keysOf(inbound(answers))).toEqual(keys)
  })

  test('finds it among those sent through other providers', () => {
    const providers = new Set(['sendgrid', 'postmark'])
    expect(keysOf(inbound({ inReplyTo: '<a@x>' }), providers)).toEqual([
      ...bothOf('a@x'),
      ...bothOf('a@x', 'sendgrid'),
    ])
  })

  test('is held against the last twenty of a long thread', () => {
    const references = Array.from({ length: 50 }, (_, index) => `<${index}@x>`)
    const keys = keysOf(inbound({ references }))
    expect(keys).toHaveLength(40)
    expect(keys.at(0)).toBe('message-id message-id:postmark:49@x')
    expect(keys.at(-1)).toBe('provider-id provider-id:postmark:30@x')
  })

  test('is found by the address for replies first, and never by its own Message-ID', () => {
    const ownId = '01890a5d-ac96-774b-bcce-b302099a8057'
    expect(keysOf(inbound({ inReplyTo: '<a@x>' }, { ownId }))).toEqual([
      `own-id ${ownId}`,
      ...bothOf('a@x'),
    ])
  })

  test('waits for nothing, and says nothing of a recipient', () => {
    const incoming = toIncoming('postmark', inbound({ inReplyTo: '<a@x>' }), receivedAt)
    expect(incoming.event.correlation).toEqual({ status: 'foreign' })
    expect(incoming).not.toHaveProperty('address')
  })

  test('is the same mail, whenever and for whatever reason it is posted again', () => {
    const idOf = (parsed: ParsedEvent): string =>
      toIncoming('postmark', parsed, receivedAt).event.id
    const mail = { date: new Date(happened - 5000) }
    const again = { occurredAt: new Date(happened + 60_000), providerMessageId: 'p-2' }
    expect(idOf(inbound(mail, again))).toBe(idOf(inbound(mail)))
    expect(idOf(inbound(mail, { messageId: '<other@example.com>' }))).not.toBe(idOf(inbound(mail)))
    expect(idOf(inbound({}, again))).toBe(idOf(inbound({})))
  })
})
