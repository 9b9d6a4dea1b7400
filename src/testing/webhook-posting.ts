import { setTimeout as delay } from 'node:timers/promises'
import type { SignedRequest, WebhookRetries } from '../simulator.js'

/** A webhook that was posted, and what it was answered. */
export interface PostedWebhook {
  body: Buffer
  /** The HTTP status of the answer; 0 when nobody answered. */
  status: number
  answer: string
}

/** When a request that was not taken is posted again. */
export interface Coming {
  schedule: WebhookRetries | undefined
  /** How many times faster than the schedule says; without it nothing is posted again. */
  speed: number | undefined
  signal: AbortSignal
}

/** Posts a request, and again until it is taken or given up. Each time is in what it resolves with. */
export async function postUntilTaken(
  url: string,
  request: SignedRequest,
  { schedule, speed, signal }: Coming,
): Promise<PostedWebhook[]> {
  const first = await postOnce(url, request)
  const posted = [first]
  if (!schedule || speed === undefined || schedule.isTaken(first.status)) return posted
  for (const wait of schedule.waits) {
    await delay(wait / speed, undefined, { signal })
    const again = await postOnce(url, request)
    posted.push(again)
    if (schedule.isTaken(again.status)) break
  }
  return posted
}

async function postOnce(url: string, { headers, body }: SignedRequest): Promise<PostedWebhook> {
  try {
    const response = await fetch(url, { method: 'POST', headers, body, redirect: 'manual' })
    return { body, status: response.status, answer: await response.text() }
  } catch (error) {
    return { body, status: 0, answer: String(error) }
  }
}
