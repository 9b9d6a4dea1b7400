import { equal, notEqual, ok, throws } from 'node:assert/strict'
import type { Guard } from '../provider.js'
import type { SignedRequest } from '../simulator.js'
import { usualAnswers } from '../webhook-answers.js'
import { same } from './comparing.js'
import {
  allSecrets,
  ann,
  isTaken,
  known,
  onlyRequest,
  type OpenedProvider,
  post,
  type ProviderChecks,
  type ProviderUnderTest,
  send,
  type Sent,
  tell,
} from './provider-steps.js'
import { signedRequests } from './signed-requests.js'

/** A message that is delivered, and a request that says that it bounced, which nobody has posted. */
async function withBounce(opened: OpenedProvider): Promise<Sent & { request: SignedRequest }> {
  const sent = await send(opened)
  await tell(opened, sent.message, { type: 'delivered', recipient: ann })
  const events = [{ type: 'bounced', recipient: ann }] as const
  return { ...sent, request: onlyRequest(signedRequests(opened.simulator, sent.message, events)) }
}

/** Posts what must be refused, and sees that nothing of it is kept. */
async function refused(opened: OpenedProvider, sent: Sent, request: SignedRequest): Promise<void> {
  const before = opened.refusals.length
  const status = await post(opened, request)
  equal(isTaken(status), false, `it was answered ${status}, as if it had been taken`)
  equal(opened.refusals.length, before + 1, 'nobody was told that it was refused')
  await unchanged(opened, sent)
}

/** The message is as it was: delivered, and nothing else. */
async function unchanged(opened: OpenedProvider, sent: Sent): Promise<void> {
  await opened.correlator.drain()
  const { status, events } = await known(opened, sent)
  same([status, events.map(({ type }) => type)], ['delivered', ['delivered']])
  equal(opened.told.length, 1, 'listeners were told of what was refused')
}

/** A digit or a letter of the request is another one: that of the address that it speaks of. */
function changed({ headers, body }: SignedRequest): SignedRequest {
  const whole = body.toString('latin1')
  const other = whole.replaceAll('ann.recipient', 'bob.recipient')
  notEqual(other, whole, 'the request should speak of the recipient by the address')
  return { headers, body: Buffer.from(other, 'latin1') }
}

/** What becomes of requests that are not to be taken, and of those that are. */
const everyRequest: ProviderChecks = {
  async 'its webhook is named after it, and is of it'({ webhook, subject }) {
    const { name, provider } = webhook({})
    same([name, provider], [subject.provider, subject.provider])
    equal(webhook({ name: 'second' }).name, 'second')
  },

  async 'without a key it does not start'({ subject }) {
    ok(subject.withoutKeys.length > 0, 'withoutKeys is empty: the webhook at least needs a key')
    for (const make of subject.withoutKeys) {
      throws(make, { name: 'ConfigurationError' }, 'it was made without a key')
    }
  },

  async 'a signed request is taken, and told'(opened) {
    const { message } = await send(opened)
    const events = [{ type: 'delivered', recipient: ann }] as const
    const status = await post(
      opened,
      onlyRequest(signedRequests(opened.simulator, message, events)),
    )
    const { stored = usualAnswers.stored } = opened.webhook({}).answers
    same([status, isTaken(status)], [stored, true])
    await opened.correlator.drain()
    same(opened.refusals.length, 0)
    same(
      opened.told.map(({ event }) => event.type),
      ['delivered'],
    )
  },

  async 'a request that was signed eight hours ago is taken, as one that comes again is'(opened) {
    const { message } = await send(opened)
    const at = new Date(Date.now() - 8 * 3_600_000)
    const events = [{ type: 'delivered', recipient: ann, at }] as const
    const request = onlyRequest(signedRequests(opened.simulator, message, events, at))
    equal(isTaken(await post(opened, request)), true, 'it was refused')
  },

  async 'a request that is signed with another key is refused, and changes nothing'(opened) {
    const sent = await withBounce(opened)
    const { simulator } = opened
    const now = new Date()
    const entry = simulator.entry(sent.message, { type: 'bounced', recipient: ann }, now)
    await refused(opened, sent, onlyRequest(simulator.webhooks([entry], now, true)))
  },

  async 'a request that bears no signature is refused, and changes nothing'(opened) {
    const sent = await withBounce(opened)
    for (const type of ['application/json', 'application/x-www-form-urlencoded']) {
      for (const body of ['', '{}', '[]', '[{}]', 'x=1']) {
        await refused(opened, sent, { headers: { 'content-type': type }, body: Buffer.from(body) })
      }
    }
  },

  async 'a request that was cut off is refused, and changes nothing'(opened) {
    const { request, ...sent } = await withBounce(opened)
    for (const share of [0, 0.3, 0.7, 0.95]) {
      const body = request.body.subarray(0, Math.floor(request.body.length * share))
      await refused(opened, sent, { ...request, body })
    }
  },

  async 'a body over the limit is refused, and changes nothing'(opened) {
    const { request, ...sent } = await withBounce(opened)
    const { maxBodyBytes } = opened.webhook({})
    ok(Number.isSafeInteger(maxBodyBytes) && maxBodyBytes > 0, 'maxBodyBytes is no number of bytes')
    ok(maxBodyBytes <= mostBytes, `maxBodyBytes is over ${mostBytes}, more than any provider posts`)
    const body = Buffer.alloc(maxBodyBytes + 1, ' ')
    request.body.copy(body)
    // Who goes on writing is cut off, and may notice that before the answer.
    const status = await post(opened, { ...request, body }).catch(() => 413)
    equal(isTaken(status), false, `it was answered ${status}, as if it had been taken`)
    await unchanged(opened, sent)
  },

  async 'its guards are asked wherever it takes requests'({ webhook }) {
    const guard: Guard = { check: () => undefined }
    const { guards, inbound } = webhook({ guards: [guard] })
    for (const asked of inbound ? [guards, inbound.guards] : [guards]) {
      ok(asked?.includes(guard), 'a guard that it was given is not among its guards')
    }
  },

  async 'each of its answers can be another'(opened) {
    for (const outcome of Object.keys(usualAnswers)) {
      const { answers } = opened.webhook({ answers: { [outcome]: 499 } })
      equal(Reflect.get(answers, outcome), 499, `the answer ${outcome} stays what it was`)
    }
  },

  async 'what is told of a refusal has no secret in it, and no address'(opened) {
    const { request, ...sent } = await withBounce(opened)
    await post(opened, { ...request, body: request.body.subarray(1) })
    const { simulator } = opened
    const now = new Date()
    const entry = simulator.entry(sent.message, { type: 'bounced', recipient: ann }, now)
    await post(opened, onlyRequest(simulator.webhooks([entry], now, true)))
    const said = opened.refusals.map(({ message }) => message).join('\n')
    ok(!said.includes('recipient@'), `an address is in it: ${said}`)
    for (const secret of allSecrets(opened)) ok(!said.includes(secret), 'a secret is in it')
  },
}

// Twice what the largest mail takes that comes in whole and taken apart, in bytes.
const mostBytes = 128 * 1024 * 1024

/** Where a signature covers what is said. */
const signedContent: ProviderChecks = {
  async 'a request that came before and says something else now is refused, and changes nothing'(
    opened,
  ) {
    const sent = await send(opened)
    const events = [{ type: 'delivered', recipient: ann }] as const
    const request = onlyRequest(signedRequests(opened.simulator, sent.message, events))
    equal(isTaken(await post(opened, request)), true, 'the first one was refused')
    await refused(opened, sent, changed(request))
  },
}

/** How its webhook takes requests. */
export function requestChecks({ provesSenderAlone = false }: ProviderUnderTest): ProviderChecks {
  return { ...everyRequest, ...(provesSenderAlone ? {} : signedContent) }
}
