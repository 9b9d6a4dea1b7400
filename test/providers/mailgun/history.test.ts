import { afterEach, describe, expect, test } from '@jest/globals'
import { ConfigurationError } from '../../../src/index.js'
import { mailgunHistory, type MailgunHistoryOptions } from '../../../src/providers/mailgun/index.js'
import {
  answering,
  asked,
  at,
  eventsOf,
  historyFailure,
  historyOf,
  hour,
  pagesOf,
  reading,
  recipientsIn,
  sent,
  tell,
  upTo,
} from './history-reading.js'
import { apiKey, domain, startMailgun } from './sending.js'

describe('a reading', () => {
  test('asks for the domain, the span and the kinds of events that webhooks tell', async () => {
    const provider = await startMailgun()
    await eventsOf(historyOf(provider), { from: at(999), to: at(90_001) })
    expect(provider.requests).toMatchObject([
      {
        method: 'POST',
        path: '/v1/analytics/logs',
        headers: {
          authorization: `Basic ${btoa(`api:${apiKey}`)}`,
          'content-type': 'application/json',
        },
      },
    ])
    expect(asked(provider)).toEqual([
      {
        start: 'Thu, 09 Oct 2025 07:59:59 +0000',
        end: 'Thu, 09 Oct 2025 08:01:31 +0000',
        events: expect.arrayContaining(['accepted', 'failed', 'rejected', 'unsubscribed']),
        filter: {
          AND: [
            { attribute: 'domain', comparator: '=', values: [{ label: domain, value: domain }] },
          ],
        },
        include_subaccounts: true,
        include_totals: false,
        pagination: { sort: 'timestamp:asc', limit: 100 },
      },
    ])
  })

  test('goes from its beginning up to its end, to the millisecond', async () => {
    const provider = await startMailgun({ script: () => [] })
    await tell(provider, await sent(provider), 6, (index) => index * 250)
    const history = historyOf(provider)
    expect(recipientsIn(await eventsOf(history, { from: at(250), to: at(1250) }))).toEqual(
      upTo(5, 1),
    )
    expect(await eventsOf(history, { from: at(251), to: at(500) })).toEqual([])
  })

  test.each([
    ['nothing in it', hour, hour],
    ['its end before its beginning', at(1), hour],
    ['no time at all', new Date(Number.NaN), hour],
  ])('of a span with %s asks for nothing', async (_, from, to) => {
    const provider = await startMailgun()
    expect(await pagesOf(historyOf(provider), { from, to })).toEqual([])
    expect(provider.requests).toEqual([])
  })

  test('of another domain has none of these events', async () => {
    const provider = await startMailgun({ script: () => [] })
    await tell(provider, await sent(provider), 1)
    expect(await pagesOf(historyOf(provider, { domain: 'other.example.com' }))).toEqual([])
  })

  test('goes page by page, the oldest events first, and asks for no page before it is wanted', async () => {
    const provider = await startMailgun({ script: () => [] })
    // Told in another order than they happened.
    await tell(provider, await sent(provider), 250, (index) => (249 - index) * 1000)
    const pages = reading(historyOf(provider))[Symbol.asyncIterator]()
    const sizes: number[] = []
    const times: (Date | undefined)[] = []
    for (let calls = 1; calls <= 3; calls += 1) {
      const { value, done } = await pages.next()
      if (done) throw new Error('it ended')
      sizes.push(value.events.length)
      times.push(...value.events.map(({ occurredAt }) => occurredAt))
      expect(asked(provider)).toHaveLength(calls)
    }
    expect(sizes).toEqual([100, 100, 50])
    expect(times).toEqual(Array.from({ length: 250 }, (_, index) => at(index * 1000)))
    expect(await pages.next()).toEqual({ value: undefined, done: true })
    expect(asked(provider).map(({ pagination }) => typeof pagination.token)).toEqual([
      'undefined',
      'string',
      'string',
    ])
  })

  test('ends where a token leads to nothing', async () => {
    const provider = await startMailgun({ script: () => [] })
    await tell(provider, await sent(provider), 100)
    expect((await pagesOf(historyOf(provider))).map(({ events }) => events.length)).toEqual([100])
    expect(asked(provider)).toHaveLength(2)
  })

  test.each([
    ['an empty list', { items: [], pagination: { next: 'more' } }],
    ['a null in place of the list', { items: null, pagination: null }],
    ['nothing of pages', { items: [] }],
  ])('ends with %s', async (_, answer) => {
    const provider = await startMailgun()
    answering(provider, answer)
    expect(await pagesOf(historyOf(provider))).toEqual([])
    expect(provider.requests).toHaveLength(1)
  })
})

describe('a position', () => {
  test('leads on behind its page, for another history and after other events', async () => {
    const provider = await startMailgun({ script: () => [] })
    const message = await sent(provider)
    await tell(provider, message, 250)
    const [first, second] = await pagesOf(historyOf(provider))
    await tell(provider, message, 1, () => 500)
    const rest = (position = '') => eventsOf(historyOf(provider), { position })
    expect(recipientsIn(await rest(first?.position))).toEqual(upTo(250, 100))
    expect(recipientsIn(await rest(second?.position))).toEqual(upTo(250, 200))
  })

  test('of the last page leads to what happened since, or at the same time', async () => {
    const provider = await startMailgun({ script: () => [] })
    const message = await sent(provider)
    await tell(provider, message, 3)
    const history = historyOf(provider)
    const [{ position } = { position: '' }] = await pagesOf(history)
    expect(recipientsIn(await eventsOf(history, { position }))).toContain('r2@shop.test')
    await tell(provider, message, 5)
    expect(recipientsIn(await eventsOf(history, { position }))).toEqual(
      expect.arrayContaining(upTo(5, 2)),
    )
  })

  test.each([400, 404, 410])(
    'leads on by the time where its token is answered %i, and nothing is missing',
    async (status) => {
      const provider = await startMailgun({ script: () => [] })
      await tell(provider, await sent(provider), 250)
      const [, second] = await pagesOf(historyOf(provider))
      if (!second) throw new Error('there is no second page')
      provider.failNext({ kind: 'answer', status, body: '{"message":"invalid page token"}' })
      const events = await eventsOf(historyOf(provider), { position: second.position })
      expect(recipientsIn(events)).toEqual(expect.arrayContaining(upTo(250, 200)))
      expect(events.length).toBeLessThanOrEqual(53)
    },
  )

  test('of a second with more events than a page leads through all of them', async () => {
    const provider = await startMailgun({ script: () => [] })
    await tell(provider, await sent(provider), 350, () => 5000)
    const told: (string | undefined)[] = []
    let position: string | undefined
    // As who takes one page at a time.
    for (let runs = 0; runs < 4; runs += 1) {
      const pages = reading(historyOf(provider), { ...(position !== undefined && { position }) })
      for await (const page of pages) {
        position = page.position
        told.push(...recipientsIn(page.events))
        break
      }
    }
    expect(told).toEqual(upTo(350))
  })

  test('does not lead in circles where no token of such a second is taken', async () => {
    const provider = await startMailgun({ script: () => [] })
    await tell(provider, await sent(provider), 350, () => 5000)
    const refuse = () =>
      provider.failNext({ kind: 'answer', status: 400, body: '{"message":"no"}' })
    const pages = reading(historyOf(provider))[Symbol.asyncIterator]()
    await pages.next()
    refuse()
    await pages.next()
    refuse()
    await expect(pages.next()).rejects.toMatchObject({ name: 'HistoryError', retryable: false })
  })

  test('goes no further than it is sure of where the pages are in another order', async () => {
    const provider = await startMailgun()
    const item = (milliseconds: number) => ({
      id: `e${milliseconds}`,
      event: 'opened',
      '@timestamp': at(milliseconds).toISOString(),
    })
    answering(provider, { items: [item(3000), item(2000)], pagination: {} })
    const [page] = await pagesOf(historyOf(provider))
    await eventsOf(historyOf(provider), { position: page?.position ?? '' })
    expect(asked(provider)[1].start).toBe('Thu, 09 Oct 2025 07:59:59 +0000')
  })

  test.each([
    '',
    'x',
    'null',
    '[]',
    '{}',
    '{"start":1}',
    '{"at":1}',
    '{"start":"x","at":1}',
    '{"start":1,"at":9007199254740991}',
  ])('%j is refused', async (position) => {
    const provider = await startMailgun()
    expect(await historyFailure(historyOf(provider), { position })).toMatchObject({
      retryable: false,
      message: 'the position is none that a reading of Mailgun has given',
    })
    expect(provider.requests).toEqual([])
  })
})

describe('a reading is ended by its signal', () => {
  test('before it has begun', async () => {
    const provider = await startMailgun()
    const reason = new Error('enough')
    const signal = AbortSignal.abort(reason)
    await expect(pagesOf(historyOf(provider), { signal })).rejects.toBe(reason)
    expect(provider.requests).toEqual([])
  })

  test('between two pages, and asks for none then', async () => {
    const provider = await startMailgun({ script: () => [] })
    await tell(provider, await sent(provider), 250)
    const stop = new AbortController()
    const pages: number[] = []
    const read = async () => {
      for await (const { events } of reading(historyOf(provider), { signal: stop.signal })) {
        pages.push(events.length)
        if (pages.length === 2) stop.abort(new Error('enough'))
      }
    }
    await expect(read()).rejects.toThrow('enough')
    expect(pages).toEqual([100, 100])
    expect(asked(provider)).toHaveLength(2)
  })
})

describe('the options', () => {
  const variables = ['MAILGUN_API_KEY', 'MAILGUN_DOMAIN', 'MAILGUN_URL'] as const
  const before = variables.map((name) => process.env[name])
  afterEach(() => {
    for (const [index, name] of variables.entries()) {
      const value = before[index]
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  })

  test('may come from the environment', async () => {
    const provider = await startMailgun()
    process.env['MAILGUN_API_KEY'] = ` ${apiKey} `
    process.env['MAILGUN_DOMAIN'] = domain
    process.env['MAILGUN_URL'] = `${provider.url}/`
    const history = mailgunHistory()
    expect(history.provider).toBe('mailgun')
    expect(await pagesOf(history)).toEqual([])
    expect(provider.requests).toHaveLength(1)
  })

  test.each<[string, MailgunHistoryOptions, string]>([
    ['no key', { domain }, 'mailgunHistory: apiKey is missing'],
    ['no domain', { apiKey }, 'mailgunHistory: domain is missing'],
    ['another domain', { apiKey, domain: 'a/b' }, 'mailgunHistory: "a/b" is not a domain'],
    ['no base URL', { apiKey, domain, baseUrl: 'x' }, 'mailgunHistory: baseUrl is not an http'],
    ['no time', { apiKey, domain, timeout: 0 }, 'mailgunHistory: timeout must be'],
  ])('are refused with %s', (_, options, message) => {
    for (const name of variables) delete process.env[name]
    const make = () => mailgunHistory(options)
    expect(make).toThrow(ConfigurationError)
    expect(make).toThrow(message)
  })
})
