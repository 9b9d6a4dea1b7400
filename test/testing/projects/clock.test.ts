import { afterEach, expect, test, vi as timers } from 'vitest'
import { mailMatchers } from 'mailtrail/testing/vitest'
import { createCorrelator, type MailEvent, memoryStore } from 'mailtrail'
import { mailgunSimulator, mailgunWebhook } from 'mailtrail/mailgun'
import { signedRequests, simulatedMessage } from 'mailtrail/testing'

expect.extend(mailMatchers)

const minute = 60_000

afterEach(() => void timers.useRealTimers())

test('the clock of a correlator is that of the runner: an event without a message becomes foreign', async () => {
  timers.useFakeTimers()
  const simulator = mailgunSimulator({ apiKey: 'key', domain: 'example.com' })
  const webhooks = [mailgunWebhook({ signingKey: simulator.signingKey })]
  const correlator = createCorrelator({ store: memoryStore(), webhooks, foreignAfter: 5 * minute })
  const told: MailEvent[] = []
  correlator.onAny((event) => void told.push(event))
  const events = [{ type: 'delivered', recipient: 'ann@example.com' }] as const
  for (const request of signedRequests(simulator, simulatedMessage(), events)) {
    const url = 'https://app.test/mailgun'
    const answer = await correlator.handler(new Request(url, { method: 'POST', ...request }))
    expect(answer.status).toBe(200)
  }
  await timers.advanceTimersByTimeAsync(4 * minute)
  expect(told).toEqual([])
  await timers.advanceTimersByTimeAsync(2 * minute)
  expect(told.map(({ correlation }) => correlation.status)).toEqual(['foreign'])
  await correlator.close()
})

test('a matcher waits for the real time, whatever the clock says', async () => {
  timers.useFakeTimers()
  const correlator = createCorrelator({ store: memoryStore() })
  const waiting = expect({ to: 'ann@example.com' }).toHaveBeenSent({ correlator, timeout: 60 })
  await expect(waiting).rejects.toThrow('no mail was recorded')
  await correlator.close()
})
