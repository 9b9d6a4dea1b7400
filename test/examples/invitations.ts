import { afterAll, beforeAll, expect, test } from '@jest/globals'
import {
  ask,
  patience,
  type RunningExample,
  startExample,
  startSurroundings,
  type Surroundings,
} from './running.js'

interface Invitations {
  /** What node runs, with its arguments. */
  program: readonly string[]
  /** What it is to know beside the providers. */
  environment?: Record<string, string>
  /** Below which path it serves, where it does. */
  below?: string
  /** Its exit code when it is asked to end, or the signal that ends it; default 0. */
  end?: number | string
}

/** What is expected of each example that sends invitations in a server of its own. */
export function testInvitations(prepare: () => Invitations | Promise<Invitations>): void {
  let settings: Invitations
  let around: Surroundings
  let example: RunningExample
  let url = ''

  beforeAll(async () => {
    settings = await prepare()
    around = await startSurroundings()
    const environment = { ...around.environment, ...settings.environment }
    example = await startExample(settings.program, { environment })
    url = example.url + (settings.below ?? '')
    around.leadTo(url)
  }, patience * 2)
  afterAll(async () => {
    await example?.stop()
    await around?.close()
  })

  const invite = (email: unknown) => ask('POST', `${url}/invitations`, { email })
  const statusOf = async (id: unknown) => ask('GET', `${url}/invitations/${String(id)}`)

  test('sends an invitation, and knows when it has arrived', async () => {
    const { status, body } = await invite('ann@example.com')
    expect([status, body]).toEqual([202, { trackingId: expect.any(String) }])
    expect(around.sendgrid.messages).toMatchObject([
      { subject: 'You are invited', recipients: [{ address: 'ann@example.com' }] },
    ])
    await example.said('ann@example.com has it')
    expect(await statusOf(body.trackingId)).toEqual({ status: 200, body: { status: 'delivered' } })
  })

  test('knows when an address does not exist', async () => {
    const { body } = await invite('nobody@example.com')
    await example.said('nobody@example.com bounced (hard): You are invited')
    expect(await statusOf(body.trackingId)).toEqual({ status: 200, body: { status: 'bounced' } })
  })

  test('is told nothing by somebody else', async () => {
    const [message] = around.sendgrid.messages
    if (!message) throw new Error('nothing was sent')
    const bounce = { type: 'bounced', recipient: 'ann@example.com' } as const
    const posted = await around.sendgrid.post(message, { events: [bounce], forged: true })
    expect(posted).toMatchObject([{ status: 403 }])
    await around.sendgrid.post(message, { events: [{ ...bounce, type: 'opened' }] })
    expect(example.lines.filter((line) => line.includes('ann@example.com bounced'))).toEqual([])
  })

  test('says that it could not be sent, and goes on', async () => {
    around.sendgrid.failNext({ kind: 'answer', status: 401 })
    expect(await invite('bob@example.com')).toEqual({ status: 502, body: { error: 'auth' } })
    expect((await invite('bob@example.com')).status).toBe(202)
    expect((await statusOf('nothing')).status).toBe(404)
  })

  test('ends when it is asked to', async () => {
    await around.sendgrid.settled()
    await example.said('bob@example.com has it')
    expect(await example.terminate()).toBe(settings.end ?? 0)
  })
}
