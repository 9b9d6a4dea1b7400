import { equal, ok } from 'node:assert/strict'
import { inspect } from 'node:util'
import type { SendErrorCategory } from '../errors.js'
import { rateLimited } from './api-failures.js'
import { like } from './comparing.js'
import {
  allSecrets,
  ann,
  eachOf,
  type OpenedProvider,
  plainMail,
  type ProviderChecks,
  refusalOf,
  transporterOf,
} from './provider-steps.js'
import type { ApiFailure } from './provider-server.js'

/** How a call fails, and what the error is to tell the code that catches it. */
interface Failure {
  name: string
  failure: ApiFailure
  category: SendErrorCategory
  retryable: boolean
  outcome: 'not-sent' | 'unknown'
  retryAfter?: number
}

const refused = (status: number, category: SendErrorCategory): Failure => ({
  name: `the answer ${status} is of the category ${category}`,
  failure: { kind: 'answer', status },
  category,
  retryable: false,
  outcome: 'not-sent',
})

const failures: readonly Failure[] = [
  refused(400, 'validation'),
  refused(401, 'auth'),
  refused(403, 'auth'),
  {
    name: 'the answer 429 says when to come again',
    failure: rateLimited(7),
    category: 'rate-limit',
    retryable: true,
    outcome: 'not-sent',
    retryAfter: 7000,
  },
  {
    name: 'the answer 503 may be tried again',
    failure: { kind: 'answer', status: 503 },
    category: 'server',
    retryable: true,
    outcome: 'not-sent',
  },
  {
    name: 'after the answer 502 nobody knows whether it was sent',
    failure: { kind: 'answer', status: 502 },
    category: 'server',
    retryable: false,
    outcome: 'unknown',
  },
  {
    name: 'after a connection that broke nobody knows whether it was sent',
    failure: { kind: 'cut' },
    category: 'network',
    retryable: false,
    outcome: 'unknown',
  },
  {
    name: 'after a call without an answer nobody knows whether it was sent',
    failure: { kind: 'silent' },
    category: 'timeout',
    retryable: false,
    outcome: 'unknown',
  },
]

async function failsAs(
  opened: OpenedProvider,
  { failure, category, retryable, outcome, retryAfter }: Failure,
): Promise<void> {
  opened.running.failNext(failure)
  const timeout = failure.kind === 'silent' ? 300 : 10_000
  const error = await refusalOf(transporterOf(opened, { timeout }).sendMail(plainMail))
  like(error, { name: 'SendError', category, retryable, outcome, retryAfter })
  if (failure.kind === 'answer') like(error, { statusCode: failure.status })
  harmless(opened, error)
  const { messages } = await opened.correlator.find()
  equal(messages[0]?.status, outcome === 'unknown' ? 'unknown' : 'failed')
}

/** Nothing that a log could show of an error has a secret in it, or an address. */
function harmless(opened: OpenedProvider, error: unknown): void {
  const shown = renderings(error)
  ok(!shown.includes(ann), `an address is in the error: ${String(error)}`)
  for (const secret of allSecrets(opened)) ok(!shown.includes(secret), 'a secret is in the error')
}

function renderings(error: unknown): string {
  if (error === undefined) return ''
  const rest = error instanceof Error ? [error.message, renderings(error.cause)] : []
  const all = [JSON.stringify(error), inspect(error, { depth: 10, showHidden: true }), ...rest]
  return [...all, String(error)].join('\n')
}

/** What `sendMail` rejects with, and what it tries again. */
export const failureChecks: ProviderChecks = {
  ...eachOf(failures, ({ name }) => name, failsAs),

  async 'where nobody listens nothing was sent, and it may be tried again'(opened) {
    await opened.running.close()
    opened.running.close = async () => {}
    const error = await refusalOf(transporterOf(opened).sendMail(plainMail))
    like(error, { name: 'SendError', category: 'network', retryable: true, outcome: 'not-sent' })
    harmless(opened, error)
  },

  async 'an answer that quotes secrets and addresses is told without them'(opened) {
    const quoted = [...opened.secrets.sending, ann].join(' and ')
    const answers = [
      { 'content-type': 'text/plain', body: quoted },
      { 'content-type': 'application/json', body: JSON.stringify({ message: quoted }) },
      {
        'content-type': 'application/json',
        body: JSON.stringify({ errors: [{ message: quoted }], Message: quoted, error: quoted }),
      },
    ]
    for (const { body, ...headers } of answers) {
      for (const status of [400, 401, 500]) {
        opened.running.failNext({ kind: 'answer', status, headers, body })
        harmless(opened, await refusalOf(transporterOf(opened).sendMail(plainMail)))
      }
    }
  },

  async 'what was not taken is sent again, as often as it may be'(opened) {
    opened.running.failNext(rateLimited(0))
    opened.running.failNext(rateLimited(0))
    await transporterOf(opened, { retries: 2 }).sendMail(plainMail)
    equal(opened.running.requests.length, 3)
    equal(opened.running.messages.length, 1)
  },

  async 'what may have been sent is never sent again'(opened) {
    opened.running.failNext({ kind: 'cut' })
    await refusalOf(transporterOf(opened, { retries: 2 }).sendMail(plainMail))
    equal(opened.running.requests.length, 1)
  },
}
