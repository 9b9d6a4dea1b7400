import { createHash, timingSafeEqual } from 'node:crypto'
import { addressRanges } from './address-ranges.js'
import { ConfigurationError, type RefusalReason } from './errors.js'
import type { Guard, Refusal, WebhookRequestHead } from './provider.js'
import { type KeySource, signingKeys } from './signing-keys.js'
import { isHostile } from './webhook-answers.js'

/**
 * A secret in the query of the webhook's URL: `https://example.com/webhooks/mandrill?secret=…`. It is
 * asked of every method, as a provider that tries the URL has it too.
 *
 * @param secret one, several while one replaces another, or a function that gives those valid now
 * @throws ConfigurationError when the secret is missing
 */
export function querySecret(
  secret: KeySource,
  { parameter = 'secret' }: { parameter?: string } = {},
): Guard {
  const secrets = signingKeys('querySecret: secret', secret, digest)
  return {
    async check({ target }) {
      const given = new URLSearchParams(target.replace(/^[^?]*\??/, '')).getAll(parameter)
      const [only, ...others] = given
      if (only === undefined || others.length > 0) {
        return refuse(
          'wrong-secret',
          `the URL has ${given.length === 0 ? 'no' : 'more than one'} query parameter ${JSON.stringify(parameter)}`,
        )
      }
      return isAmong(await secrets(), only)
        ? undefined
        : refuse('wrong-secret', `the query parameter ${JSON.stringify(parameter)} is another`)
    },
  }
}

/**
 * Basic authentication, as in `https://user:password@example.com/webhooks/sendgrid`.
 *
 * @param password one, several while one replaces another, or a function that gives those valid now
 * @throws ConfigurationError when the user or the password is missing
 */
export function basicAuth(user: string, password: KeySource): Guard {
  if (typeof user !== 'string' || user === '' || user.includes(':')) {
    throw new ConfigurationError('basicAuth: the user must be a text without a colon')
  }
  const credentials = signingKeys('basicAuth: password', password, (text) =>
    digest(`${user}:${text}`),
  )
  return {
    async check(request) {
      const [, encoded] =
        /^basic ([A-Za-z\d+/]+={0,2})$/i.exec(request.header('authorization') ?? '') ?? []
      if (encoded === undefined) {
        return refuse('wrong-credentials', 'the header Authorization has no basic credentials')
      }
      const given = Buffer.from(encoded, 'base64').toString('utf8')
      return isAmong(await credentials(), given)
        ? undefined
        : refuse('wrong-credentials', 'the user or the password is another')
    },
  }
}

/**
 * Callers of these addresses alone: single ones, CIDR ranges, IPv4 or IPv6, `loopback`, `private`.
 * Behind a proxy it needs `trustedProxies` at `createCorrelator`. SendGrid, Mailgun and Mandrill have
 * no fixed addresses; a gateway of yours may have.
 *
 * @throws ConfigurationError when the list is empty, or an entry is no address
 */
export function addressAllowList(ranges: readonly string[]): Guard {
  const allowed = addressRanges('addressAllowList', ranges)
  if (ranges.length === 0) {
    throw new ConfigurationError('addressAllowList: the list is empty, so nobody could come')
  }
  return {
    check({ clientAddress }) {
      if (clientAddress === undefined) {
        return refuse(
          'wrong-address',
          "the caller's address is not known: give it with correlator.handler(request, { remoteAddress }), or set trustedProxies where proxies forward it",
        )
      }
      return allowed.has(clientAddress)
        ? undefined
        : refuse(
            'wrong-address',
            "the caller's address is not on the list: behind a proxy, createCorrelator needs trustedProxies",
          )
    },
  }
}

/** Callers whose `User-Agent` begins with a text, or fits a pattern. Anybody can send any: a filter, no proof. */
export function userAgent(expected: string | RegExp): Guard {
  if (expected === '') throw new ConfigurationError('userAgent: the text is empty')
  const fits = (agent: string): boolean =>
    // Not test(), which remembers where a global pattern was.
    typeof expected === 'string' ? agent.startsWith(expected) : agent.search(expected) >= 0
  return {
    check(request) {
      return fits(request.header('user-agent') ?? '')
        ? undefined
        : refuse('wrong-agent', 'the header User-Agent is another')
    },
  }
}

/** A rate limiter as `rate-limiter-flexible` makes them, in memory, Redis and others. */
export interface RateLimiter {
  /** Takes a point. Rejects with `msBeforeNext`, in ms, when there is none left. */
  consume(key: string): Promise<unknown>
  /** What is left: `remainingPoints` until `msBeforeNext`. */
  get(key: string): Promise<{ remainingPoints: number; msBeforeNext: number } | null>
}

/**
 * At most so many requests of one caller's address as the limiter has points. Providers send in bursts
 * and come again after a refusal, so leave room.
 *
 * ```ts
 * rateLimit(new RateLimiterMemory({ points: 600, duration: 60 }))
 * ```
 */
export function rateLimit(limiter: RateLimiter): Guard {
  checkLimiter('rateLimit', limiter)
  return {
    async check(request) {
      try {
        await limiter.consume(keyOf(request))
        return undefined
      } catch (reason) {
        const wait = waitOf(reason)
        if (wait === undefined) throw reason
        return refuse('rate-limited', 'the caller has come too often', wait)
      }
    },
  }
}

/**
 * Shuts out a caller's address for whom as many requests were forged, or denied by a later guard, as the
 * limiter has points.
 */
export function forgeryLimit(limiter: RateLimiter): Guard {
  checkLimiter('forgeryLimit', limiter)
  return {
    async check(request) {
      const left = await limiter.get(keyOf(request))
      return left && left.remainingPoints <= 0
        ? refuse('rate-limited', 'too many forged requests came from there', left.msBeforeNext)
        : undefined
    },
    async refused(request, reason) {
      if (!isHostile(reason)) return
      try {
        await limiter.consume(keyOf(request))
      } catch (rejected) {
        // Beyond the last point it rejects, which is what it is for.
        if (waitOf(rejected) === undefined) throw rejected
      }
    },
  }
}

/** Where the server does not tell addresses, all callers count as one. */
const keyOf = ({ clientAddress }: WebhookRequestHead): string => clientAddress ?? 'unknown'

function checkLimiter(guard: string, limiter: RateLimiter): void {
  if (typeof limiter?.consume === 'function' && typeof limiter.get === 'function') return
  throw new ConfigurationError(
    `${guard}: give it a limiter of rate-limiter-flexible, such as new RateLimiterMemory({ points: 600, duration: 60 })`,
  )
}

/** How long to wait, in ms, where the limiter says no; undefined where it failed. */
function waitOf(rejected: unknown): number | undefined {
  if (typeof rejected !== 'object' || rejected === null) return undefined
  const wait: unknown = Reflect.get(rejected, 'msBeforeNext')
  return typeof wait === 'number' ? wait : undefined
}

function refuse(reason: RefusalReason, detail: string, retryAfter?: number): Refusal {
  return { kind: 'refused', reason, detail, ...(retryAfter !== undefined && { retryAfter }) }
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** In the same time whichever it is, and whatever is given. */
function isAmong(expected: readonly Buffer[], given: string): boolean {
  const hash = digest(given)
  return expected.map((one) => timingSafeEqual(one, hash)).includes(true)
}
