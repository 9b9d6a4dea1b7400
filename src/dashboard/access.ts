import { messageOf } from '../errors.js'
import type { Guard, WebhookRequestHead } from '../provider.js'

/**
 * What somebody may do: `true`, or `{ user }` where their name is known, opens everything; `'unauthenticated'` is
 * answered 401 and has a browser ask for a user and a password; anything else is answered 403.
 */
export type Access = boolean | 'unauthenticated' | { user: string }

/** Asked of every request: who it comes from, and whether they may see and do what the dashboard can. */
export type Authorize = (request: WebhookRequestHead) => Access | Promise<Access>

export type Decision = { kind: 'open'; user: string } | { kind: 'refused'; status: 401 | 403 }

const forbidden: Decision = { kind: 'refused', status: 403 }

/** Whether a request is let through: only by what says so in as many words, and never by a failure. */
export async function decide(
  authorize: Authorize | undefined,
  request: WebhookRequestHead,
): Promise<Decision> {
  if (typeof authorize !== 'function') return forbidden
  try {
    const access: unknown = await authorize(request)
    if (access === true) return { kind: 'open', user: '' }
    if (access === 'unauthenticated') return { kind: 'refused', status: 401 }
    const user: unknown =
      typeof access === 'object' && access !== null ? Reflect.get(access, 'user') : undefined
    return typeof user === 'string' && user !== '' ? { kind: 'open', user } : forbidden
  } catch (error) {
    process.emitWarning(`dashboard: authorize failed: ${messageOf(error)}`, 'MailtrailWarning')
    return forbidden
  }
}

/**
 * The guards of webhooks as an `authorize`: all of them must let a request through.
 *
 * ```ts
 * authorize: byGuards(basicAuth('team', process.env.DASHBOARD_PASSWORD), addressAllowList(['private']))
 * ```
 */
export function byGuards(first: Guard, ...others: readonly Guard[]): Authorize {
  return async (request) => {
    for (const guard of [first, ...others]) {
      const refusal = await guard.check(request)
      if (refusal) return refusal.reason === 'wrong-credentials' ? 'unauthenticated' : false
    }
    return true
  }
}
