import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import nodemailer from 'nodemailer'
import { type Correlator, createCorrelator, memoryStore } from '../../src/index.js'
import {
  mailgunSimulator,
  mailgunTransport,
  mailgunWebhook,
} from '../../src/providers/mailgun/index.js'
import {
  sendgridSimulator,
  sendgridTransport,
  sendgridWebhook,
} from '../../src/providers/sendgrid/index.js'
import {
  byRecipient,
  delayed,
  duplicated,
  early,
  forged,
  happens,
  inDisorder,
  inTurn,
  poisoned,
  recut,
  type RunningProvider,
  type Script,
  startProvider,
  underOtherIds,
} from '../../src/testing/index.js'
import { startEndpoint } from '../endpoint.js'

const ann = 'ann@example.com'
const bob = 'bob@example.com'

const message = {
  id: 'm-1',
  recipients: [ann, bob].map((address) => ({ address, id: 'm-1' })),
  subject: '',
  metadata: {},
  tags: [],
  messageId: '',
  request: null,
}

describe('a script', () => {
  test('is not made of events that providers do not tell', () => {
    const misspelt = (): Script => happens('delivered', Object('bounce').valueOf())
    expect(misspelt).toThrow('there is no "bounce": there are accepted, deferred')
  })

  test('has events happen to everybody, one webhook after the other', () => {
    expect(happens('delivered', { type: 'bounced', bounce: 'later' })(message)).toEqual([
      { events: [ann, bob].map((recipient) => ({ type: 'delivered', recipient })) },
      { events: [ann, bob].map((recipient) => ({ type: 'bounced', bounce: 'later', recipient })) },
    ])
  })

  test('has other events happen to others', () => {
    const script = byRecipient((address) => happens(address === ann ? 'delivered' : 'bounced'))
    expect(script(message)).toEqual([
      { events: [{ type: 'delivered', recipient: ann }] },
      { events: [{ type: 'bounced', recipient: bob }] },
    ])
  })

  test('goes on with another one', () => {
    const posts = inTurn(happens('accepted'), happens('opened'))(message)
    expect(posts.map(({ events }) => events[0]?.type)).toEqual(['accepted', 'opened'])
  })

  test.each<[string, Script, object[]]>([
    ['delayed', delayed(50, happens('accepted', 'opened')), [{ after: 50 }, { after: 100 }]],
    ['early', early(happens('opened')), [{ early: true }]],
    ['duplicated', duplicated(happens('opened'), 3), [{ times: 3 }]],
    ['forged', forged(happens('opened')), [{ forged: true }]],
    ['in disorder', inDisorder(happens('accepted', 'opened')), [{ ago: 1000 }, { ago: 2000 }]],
  ])('is %s', (_, script, posts) => {
    expect(script(message)).toMatchObject(posts)
  })

  test('composes', () => {
    const script = duplicated(early(delayed(5, happens('opened'))), 2)
    expect(script(message)).toMatchObject([{ after: 5, early: true, times: 2 }])
  })

  test('changes nothing of the one that it was made of', () => {
    const posts = happens('opened')(message)
    const script = (): typeof posts => posts
    for (const change of [early, duplicated, inDisorder, recut, underOtherIds, poisoned, forged]) {
      change(script)(message)
    }
    expect(posts).toEqual(happens('opened')(message))
  })
})

/** What happens when a correlator is told by these scripts. */
let correlator: Correlator
const closing: { close(): Promise<void> }[] = []
let answers: number[]
let asked: number

beforeEach(() => {
  answers = []
  asked = 0
})

afterEach(async () => {
  for (const each of closing.splice(0).toReversed()) await each.close()
})

async function start(script: Script, provider: 'sendgrid' | 'mailgun', retrySpeed?: number) {
  const sendgrid = sendgridSimulator({ apiKey: 'SG.key' })
  const mailgun = mailgunSimulator({ apiKey: 'key', domain: 'mg.example.com' })
  correlator = createCorrelator({
    store: memoryStore(),
    webhooks: [
      sendgridWebhook({ publicKey: sendgrid.publicKey }),
      mailgunWebhook({ signingKey: mailgun.signingKey }),
    ],
    recipientWindow: 60_000,
  })
  correlator.on('refused', () => {})
  const endpoint = await startEndpoint((request, response) => {
    asked += 1
    const status = answers.shift()
    if (status === undefined) return void correlator.nodeHandler(request, response)
    if (status === 0) return void request.destroy()
    response.writeHead(status).end()
  })
  closing.push(endpoint, correlator)
  const simulated = await startProvider(provider === 'sendgrid' ? sendgrid : mailgun, {
    webhookUrl: `${endpoint.url}/${provider}`,
    script,
    ...(retrySpeed !== undefined && { retrySpeed }),
  })
  closing.push(simulated)
  const options = { baseUrl: simulated.url, correlator, retries: 0 }
  return {
    simulated,
    transporter: nodemailer.createTransport(
      provider === 'sendgrid'
        ? sendgridTransport({ apiKey: 'SG.key', ...options })
        : mailgunTransport({ apiKey: 'key', domain: 'mg.example.com', ...options }),
    ),
  }
}

const mail = { from: 'a@example.com', to: ann, subject: 'Hi', text: 'Hi' }

async function timeline(script: Script, provider: 'sendgrid' | 'mailgun' = 'sendgrid') {
  const { simulated, transporter } = await start(script, provider)
  let unread = 0
  correlator.on('unknown', () => void (unread += 1))
  const info = await transporter.sendMail(mail)
  await simulated.settled()
  await correlator.drain()
  const known = await correlator.message(info.trackingId)
  return { known, simulated, unread, types: known?.events.map(({ type }) => type) }
}

const idsOf = ({ posted }: RunningProvider): string[][] =>
  posted.map(({ body }) =>
    JSON.parse(body.toString()).map((entry: { sg_event_id: string }) => entry.sg_event_id),
  )

describe('a correlator that is told', () => {
  test.each<[string, Script]>([
    ['twice', duplicated(happens('accepted', 'delivered'))],
    ['in disorder', inDisorder(happens('accepted', 'delivered'))],
    ['in other batches', recut(happens('accepted', 'delivered'))],
    ['under other ids', underOtherIds(happens('accepted', 'delivered'))],
    ['early', early(happens('accepted', 'delivered'))],
    ['late', delayed(5, happens('accepted', 'delivered'))],
    [
      'by all of it',
      underOtherIds(recut(inDisorder(duplicated(happens('accepted', 'delivered'))))),
    ],
  ])('%s knows each fact once, in the order it happened', async (_, script) => {
    const { types, known } = await timeline(script)
    expect([types, known?.status]).toEqual([['accepted', 'delivered'], 'delivered'])
  })

  test('in other batches is told the same entries', async () => {
    const { simulated } = await timeline(recut(happens('accepted', 'delivered')))
    const [one = [], two = [], ...rest] = idsOf(simulated)
    expect(rest).toEqual([[...one, ...two], one, two])
  })

  test('under other ids is told no id twice', async () => {
    const { simulated } = await timeline(underOtherIds(happens('accepted', 'delivered')))
    const ids = idsOf(simulated).flat()
    expect([ids.length, new Set(ids).size]).toEqual([4, 4])
  })

  test('in disorder is told when things happened', async () => {
    // In the same second the opening would stand first.
    const { types } = await timeline(inDisorder(happens('clicked', 'opened')))
    expect(types).toEqual(['clicked', 'opened'])
  })

  test.each(['sendgrid', 'mailgun'] as const)('%s amid poison knows the rest', async (provider) => {
    const script = poisoned(happens('accepted', 'delivered'))
    const { types, simulated, unread } = await timeline(script, provider)
    expect(types).toEqual(['accepted', 'delivered'])
    expect(new Set(simulated.posted.map(({ status }) => status))).toEqual(new Set([200]))
    // The same thing twice is one fact.
    expect(unread).toBe(1)
  })

  test('by somebody else knows nothing', async () => {
    const { types, simulated } = await timeline(forged(happens('delivered')))
    expect([types, simulated.posted.map(({ status }) => status)]).toEqual([[], [403]])
  })

  test('of a bounce that comes back later knows that it was not delivered', async () => {
    const script = happens('delivered', { type: 'bounced', bounce: 'later' })
    const { known } = await timeline(script)
    expect(known?.status).toBe('bounced')
  })
})

describe('what is not taken', () => {
  const tenThousand = 60_000 * 10_000

  test('is posted again, to the byte, until it is', async () => {
    const { simulated, transporter } = await start(happens('delivered'), 'sendgrid', tenThousand)
    answers = [503, 0, 429]
    await transporter.sendMail(mail)
    await simulated.settled()
    expect(simulated.posted.map(({ status }) => status)).toEqual([503, 0, 429, 200])
    expect(new Set(simulated.posted.map(({ body }) => body.toString())).size).toBe(1)
  })

  test('is given up in the end', async () => {
    const { simulated, transporter } = await start(happens('delivered'), 'mailgun', tenThousand)
    answers = Array.from({ length: 20 }, () => 503)
    await transporter.sendMail(mail)
    await simulated.settled()
    expect(simulated.posted).toHaveLength(7)
  })

  test('is not posted again where the answer makes the provider stop', async () => {
    const { simulated, transporter } = await start(happens('delivered'), 'mailgun', tenThousand)
    answers = [406]
    await transporter.sendMail(mail)
    await simulated.settled()
    expect(asked).toBe(1)
  })

  test('is not posted again unless that is asked for', async () => {
    const { simulated, transporter } = await start(happens('delivered'), 'sendgrid')
    answers = [503]
    await transporter.sendMail(mail)
    await simulated.settled()
    expect(asked).toBe(1)
  })

  test('is not waited for when the provider is closed', async () => {
    const { transporter } = await start(happens('delivered'), 'sendgrid', 1)
    answers = [503]
    await transporter.sendMail(mail)
    await closing.pop()?.close()
    expect(asked).toBeLessThanOrEqual(1)
  })
})

describe('an outage', () => {
  test('fails every call until it ends', async () => {
    const { simulated, transporter } = await start(() => [], 'sendgrid')
    const end = simulated.startOutage()
    for (const _ of [1, 2]) {
      await expect(transporter.sendMail(mail)).rejects.toMatchObject({ statusCode: 503 })
    }
    end()
    await transporter.sendMail(mail)
    expect(simulated.messages).toHaveLength(1)
  })

  test('fails as it is told to', async () => {
    const { simulated, transporter } = await start(() => [], 'sendgrid')
    simulated.startOutage({ kind: 'answer', status: 401 })
    await expect(transporter.sendMail(mail)).rejects.toMatchObject({ statusCode: 401 })
  })
})
