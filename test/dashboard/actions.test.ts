import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createTransport } from 'nodemailer'
import { keepFailed } from '../../src/index.js'
import { sendgridTransport } from '../../src/providers/sendgrid/index.js'
import { type Board, startBoard } from './board.js'
import { giveUp } from './given-up.js'

const ann = 'ann@example.org'

let running: Board
beforeEach(async () => {
  running = await startBoard({ authorize: ({ header }) => ({ user: header('x-user') ?? 'ann' }) })
})
afterEach(() => running.close())

/** The token in the forms of a page, as it is shown to a user. */
async function tokenOf(path: string, user = 'ann'): Promise<string> {
  const page = await (await fetch(running.url + path, { headers: { 'x-user': user } })).text()
  return /name="token"\s+value="([^"]+)"/.exec(page)?.[1] ?? ''
}

const sameOrigin = { 'sec-fetch-site': 'same-origin' }

function post(
  path: string,
  form: Record<string, string>,
  headers: Record<string, string> = sameOrigin,
): Promise<Response> {
  const body = new URLSearchParams(form)
  return fetch(running.url + path, { method: 'POST', body, headers, redirect: 'manual' })
}

describe('a form', () => {
  const add = { action: 'add', address: ann }

  test.each<[string, () => Promise<Record<string, string>>, Record<string, string>]>([
    ['has no token', async () => ({}), sameOrigin],
    ['has a token that was made up', async () => ({ token: 'x'.repeat(43) }), sameOrigin],
    [
      'has a token of somebody else',
      async () => ({ token: await tokenOf('suppressions', 'bob') }),
      sameOrigin,
    ],
    [
      'is on the page of another site',
      async () => ({ token: await tokenOf('suppressions') }),
      { 'sec-fetch-site': 'cross-site' },
    ],
    [
      'is on a page of another part of the site',
      async () => ({ token: await tokenOf('suppressions') }),
      { 'sec-fetch-site': 'same-site' },
    ],
    [
      'has another origin',
      async () => ({ token: await tokenOf('suppressions') }),
      { origin: 'https://evil.example' },
    ],
    ['says of no origin', async () => ({ token: await tokenOf('suppressions') }), {}],
  ])('changes nothing when it %s', async (_, token, headers) => {
    const answer = await post('suppressions', { ...add, ...(await token()) }, headers)
    expect(answer.status).toBe(403)
    expect(await running.correlator.suppressions.get(ann)).toEqual([])
  })

  test('is taken from a browser that tells the origin alone', async () => {
    const token = await tokenOf('suppressions')
    const { origin } = new URL(running.url)
    expect((await post('suppressions', { ...add, token }, { origin })).status).toBe(303)
    expect(await running.correlator.suppressions.get(ann)).toHaveLength(1)
  })

  test.each(['suppressions', 'dead-letters'])('without an action is refused: %s', async (path) => {
    const token = await tokenOf('suppressions')
    expect((await post(path, { token })).status).toBe(400)
  })

  test('that is too large is refused', async () => {
    const token = await tokenOf('suppressions')
    const answer = await post('suppressions', { ...add, token, detail: 'x'.repeat(70_000) })
    expect(answer.status).toBe(400)
    expect(await running.correlator.suppressions.get(ann)).toEqual([])
  })

  test('where nothing can be done is not found', async () => {
    expect((await post('messages', { token: await tokenOf('suppressions') })).status).toBe(404)
  })
})

describe('suppressions', () => {
  test('are added with why, and shown', async () => {
    const token = await tokenOf('suppressions')
    const answer = await post('suppressions', {
      action: 'add',
      address: ann,
      detail: 'by phone',
      token,
    })
    expect(answer.headers.get('location')).toBe('./suppressions?done=suppressed')
    const page = await (await fetch(`${running.url}suppressions?done=suppressed`)).text()
    expect(page).toContain('The address is suppressed from now on.')
    expect(page).toMatch(/ann@example\.org[\s\S]*by phone/)
  })

  test('are removed by their cause alone', async () => {
    const { suppressions } = running.correlator
    await suppressions.add(ann)
    await suppressions.add(ann, { cause: 'complained' })
    const token = await tokenOf('suppressions')
    const form = { action: 'remove', address: ann, cause: 'added', scope: 'all', token }
    expect((await post('suppressions', form)).status).toBe(303)
    expect((await suppressions.get(ann)).map(({ cause }) => cause)).toEqual(['complained'])
  })

  test('of one group are removed, and those of others stay', async () => {
    const { suppressions } = running.correlator
    for (const id of ['7', '8']) {
      await suppressions.add(ann, { scope: { kind: 'group', id }, provider: 'sendgrid' })
    }
    const token = await tokenOf('suppressions')
    const group = { scope: 'group', group: '7', provider: 'sendgrid', cause: 'added' }
    await post('suppressions', { action: 'remove', address: ann, ...group, token })
    expect((await suppressions.get(ann)).map(({ scope }) => scope.id)).toEqual(['8'])
  })

  test('of what is no address are refused, and said why', async () => {
    const token = await tokenOf('suppressions')
    const answer = await post('suppressions', { action: 'add', address: 'ann', token })
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringMatching(/an address/)])
  })
})

test('dead letters are replayed, one or all', async () => {
  const { correlator, transporter, provider } = running
  for (const to of [ann, 'bob@example.org']) {
    await transporter.sendMail({ from: 'shop@example.com', to, subject: 'Hi', text: 'x' })
  }
  await provider.settled()
  const { messages } = await correlator.find()
  for (const { trackingId } of messages) await giveUp(running, trackingId)
  const { deadLetters } = await correlator.deadLetters.list()
  expect(deadLetters).toHaveLength(4)
  const token = await tokenOf('dead-letters')
  await post('dead-letters', { action: 'replay', event: deadLetters[0]?.event.id ?? '', token })
  expect((await correlator.deadLetters.list()).deadLetters).toHaveLength(3)
  const answer = await post('dead-letters', { action: 'replay-all', token })
  expect(answer.headers.get('location')).toBe('./dead-letters?done=replayed&count=3')
  expect((await correlator.deadLetters.list()).deadLetters).toEqual([])
})

describe('a message that was not sent', () => {
  /** What was kept of a message that a provider has refused. */
  async function keptMessage() {
    const failing = createTransport(
      sendgridTransport({ apiKey: 'SG.wrong', baseUrl: running.provider.url, retries: 0 }),
    )
    const failed = keepFailed(failing)
    const mail = { from: 'shop@example.com', to: ann, subject: 'Kept', text: 'x' }
    await failing.sendMail(mail).catch(() => {})
    await running.close()
    return failed
  }

  test('is sent again, and stays when it fails again', async () => {
    const failed = await keptMessage()
    running = await startBoard({ failed })
    const [kept] = failed.list()
    const token = await tokenOf('failed')
    const answer = await post('failed', { message: kept?.trackingId ?? '', token })
    expect(answer.headers.get('location')).toBe('./failed?done=retried&count=0')
    expect(failed.list()).toHaveLength(1)
    const page = await (await fetch(`${running.url}failed`)).text()
    expect(page).toContain('Kept')
  })

  test('is not among the views where none are kept', async () => {
    expect((await fetch(`${running.url}failed`)).status).toBe(404)
  })
})
