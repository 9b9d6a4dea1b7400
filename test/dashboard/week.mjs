// A week of a shop's mail, 50,000 messages with two incidents: on the third day one domain refuses mail by its
// policy, and on the fifth one provider's API key is wrong for some hours. The same every time, but for its dates.
import { v7 as uuidv7 } from 'uuid'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

const domains = ['example.com', 'example.org', 'mail.example', 'post.example', 'uni.example']
const kinds = [
  { tag: 'newsletter', subject: 'What is new in November', part: 0.4 },
  { tag: 'order', subject: 'Your order is on its way', part: 0.75 },
  { tag: 'invoice', subject: 'Your invoice', part: 0.9 },
  { tag: 'password-reset', subject: 'Set a new password', part: 1 },
]
const providers = ['sendgrid', 'mailgun', 'mandrill']
const links = [
  'https://shop.example/orders',
  'https://shop.example/november',
  'https://shop.example/terms',
]

/** Numbers from 0 to 1 that look random and are the same every time. */
function numbers() {
  let state = 42
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

/**
 * @template T
 * @param {readonly T[]} list
 * @param {number} part
 * @returns {T}
 */
function pick(list, part) {
  const found = list[Math.floor(part * list.length)]
  if (found === undefined) throw new Error('the list is empty')
  return found
}

/**
 * Records the messages and what became of them.
 *
 * @param {import('mailtrail').Correlator} correlator
 * @param {{ messages: number, end: Date }} options
 */
export async function playWeek(correlator, { messages, end }) {
  // At night seven of ten are not sent.
  const slots = messages / providers.length / (1 - 0.7 / 4)
  const random = numbers()
  const start = end.getTime() - 7 * day
  for (const provider of providers) {
    /** @type {import('mailtrail').ParsedEvent[]} */
    let events = []
    let position = 0
    const flush = async () => {
      const page = { events, position: String((position += 1)) }
      events = []
      const history = {
        provider,
        read: async function* () {
          yield page
        },
      }
      const from = new Date(start - day + position)
      await correlator.backfill(history, { from, to: new Date(end.getTime() + position) })
    }
    for (let index = 0; index < slots; index += 1) {
      const part = (index + random()) / slots
      // Less at night.
      const at = start + part * 7 * day
      const hourOfDay = (at % day) / hour
      if (hourOfDay < 6 && random() < 0.7) continue
      const sentAt = new Date(at)
      const kind = kinds.find((each) => each.part >= random()) ?? pick(kinds, 0)
      const domain = pick(domains, random() ** 1.7)
      const address = `customer-${Math.floor(random() * 20_000)}@${domain}`
      const trackingId = uuidv7({ msecs: sentAt.getTime() })
      const dayIndex = Math.floor((at - start) / day)
      const keyIsWrong = provider === 'mailgun' && dayIndex === 4 && hourOfDay > 9 && hourOfDay < 15
      /** @type {import('mailtrail').MessageRecord} */
      const record = {
        trackingId,
        provider,
        envelope: { from: 'shop@shop.example', to: [address] },
        from: { name: 'The Shop', address: 'shop@shop.example' },
        to: [{ name: '', address }],
        cc: [],
        bcc: [],
        subject:
          kind.tag === 'order' || kind.tag === 'invoice'
            ? `${kind.subject} (${10_000 + index})`
            : kind.subject,
        tags: [kind.tag],
        metadata: { order: String(10_000 + index) },
        sentAt,
        recipients: [{ address, kind: 'to', status: 'unknown', providerStatus: '' }],
        outcome: 'sending',
      }
      await correlator.recordSending(record)
      const status = keyIsWrong ? 'failed' : 'accepted'
      await correlator.recordResult(record, {
        outcome: keyIsWrong ? 'failed' : 'sent',
        recipients: [{ address, kind: 'to', status, providerStatus: keyIsWrong ? '' : 'queued' }],
        ...(keyIsWrong
          ? {
              error: {
                code: 'EAUTH',
                category: 'auth',
                message: 'mailgun: 401 Forbidden',
                retryable: false,
                outcome: 'not-sent',
                statusCode: 401,
              },
            }
          : { providerMessageId: `${provider}-${index}` }),
      })
      if (!keyIsWrong)
        events.push(...lifeOf({ trackingId, address, domain, at, dayIndex, tag: kind.tag }, random))
      if (events.length > 500) await flush()
    }
    await flush()
  }
}

/**
 * @param {{ trackingId: string, address: string, domain: string, at: number, dayIndex: number, tag: string }} sent
 * @param {() => number} random
 * @returns {import('mailtrail').ParsedEvent[]}
 */
function lifeOf({ trackingId, address, domain, at, dayIndex, tag }, random) {
  let time = at
  /**
   * @param {number} after
   * @param {import('mailtrail').EventFact & { providerEvent?: string }} fact
   * @returns {import('mailtrail').ParsedEvent}
   */
  const event = (after, fact) => {
    time += after
    const rest = { tags: [tag], metadata: {}, recipient: address, ownId: trackingId }
    const raw = { event: fact.type, email: address, timestamp: Math.floor(time / 1000) }
    return { ...rest, providerEvent: fact.type, occurredAt: new Date(time), raw, ...fact }
  }
  const accepted = event(300 + random() * 700, { type: 'accepted' })
  if (domain === 'post.example' && dayIndex === 2 && random() < 0.8) {
    const response =
      '550 5.7.1 Our system has detected that this message is likely unsolicited mail'
    const bounce = {
      kind: /** @type {const} */ ('block'),
      smtpCode: 550,
      enhancedCode: '5.7.1',
      asynchronous: false,
    }
    return [accepted, event(2000, { type: 'bounced', bounce, response })]
  }
  if (random() < 0.012) {
    const [kind, enhancedCode, response] = pick(
      /** @type {const} */ ([
        ['hard', '5.1.1', '550 5.1.1 The email account that you tried to reach does not exist'],
        ['hard', '5.1.1', '550 5.1.1 User unknown'],
        ['soft', '5.2.2', '552 5.2.2 Mailbox full'],
        ['hard', '5.1.2', '550 5.1.2 Host unknown'],
      ]),
      random(),
    )
    const bounce = { kind, smtpCode: 550, enhancedCode, asynchronous: false }
    return [accepted, event(1500 + random() * 4000, { type: 'bounced', bounce, response })]
  }
  if (random() < 0.003) return [accepted, event(500, { type: 'rejected', reason: 'unsubscribed' })]
  const life = [accepted]
  if (random() < 0.03) {
    life.push(
      event(3000, { type: 'deferred', response: '421 4.7.0 Try again later', smtpCode: 421 }),
    )
    if (random() < 0.15) return life
    time += random() * 20 * minute
  }
  life.push(
    event(800 + random() ** 4 * 40_000, {
      type: 'delivered',
      response: '250 2.0.0 OK',
      smtpCode: 250,
    }),
  )
  if (random() < 0.42)
    life.push(event(random() * 5 * hour, { type: 'opened', userAgent: 'Mozilla/5.0 (iPhone)' }))
  if (random() < 0.11)
    life.push(event(random() * hour, { type: 'clicked', url: pick(links, random()) }))
  if (tag === 'newsletter' && random() < 0.002) life.push(event(hour, { type: 'complained' }))
  return life
}
