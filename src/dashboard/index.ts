import { randomBytes } from 'node:crypto'
import { addressRanges } from '../address-ranges.js'
import type { Correlator } from '../correlator.js'
import { ConfigurationError } from '../errors.js'
import type { FailedMessages } from '../failed-messages.js'
import { type FetchHandler, fetchHandler } from '../fetch-handler.js'
import { type NodeHandler, nodeHandler } from '../node-handler.js'
import type { SentInfo } from '../transporter.js'
import type { Authorize } from './access.js'
import { watchAlarms } from './current-alarms.js'
import { dashboardHandler } from './handler.js'
import { createLive } from './live.js'
import { navigationOf, routeOf } from './routes.js'

export { type Access, type Authorize, byGuards } from './access.js'

/** What the dashboard shows, and to whom. */
export interface DashboardOptions {
  /** Whose messages, events, suppressions and dead letters are shown. */
  correlator: Correlator
  /**
   * Asked of every request whether it is let through: `true` or `{ user }` opens, `'unauthenticated'` asks the
   * browser for a password, all else is refused. Without it everything is refused. `byGuards` makes one of guards.
   */
  authorize?: Authorize
  /** The path that it is mounted at, as the server sees it; default `/mailtrail`. */
  path?: string
  /** What `keepFailed` has kept of one transporter, or of several, to be sent again. */
  failed?: FailedMessages<SentInfo> | readonly FailedMessages<SentInfo>[]
  /** Signs forms. Processes that share an address need the same; one of its own by default. */
  secret?: string
  /** Proxies whose word about the caller's address is taken, as at `createCorrelator`. */
  trustedProxies?: readonly string[]
}

/** The dashboard as servers mount it. */
export interface Dashboard {
  /** The dashboard for servers that speak fetch. */
  readonly handler: FetchHandler
  /** The dashboard for `node:http`, Express and the like. */
  readonly nodeHandler: NodeHandler
  /** Ends what is open to browsers, for a server that is to stop. */
  close(): void
}

/**
 * Pages that show what becomes of mail, and what to do about it.
 *
 * ```ts
 * const board = dashboard({ correlator, authorize: byGuards(basicAuth('team', password)) })
 * app.use('/mailtrail', board.nodeHandler)
 * ```
 *
 * @throws ConfigurationError when an option is wrong
 */
export function dashboard(options: DashboardOptions): Dashboard {
  const { correlator, authorize, path = '/mailtrail', failed = [], trustedProxies = [] } = options
  if (typeof correlator?.find !== 'function') {
    throw new ConfigurationError('dashboard: correlator is missing')
  }
  if (authorize !== undefined && typeof authorize !== 'function') {
    throw new ConfigurationError('dashboard: authorize must be a function')
  }
  if (!/^(?:\/[\w.~-]+)*\/?$/.test(path)) {
    throw new ConfigurationError('dashboard: path must be a path such as /mailtrail')
  }
  const secret = options.secret ?? randomBytes(32).toString('base64url')
  if (typeof secret !== 'string' || secret.length < 16) {
    throw new ConfigurationError('dashboard: secret must have 16 characters or more')
  }
  const keepers = [failed].flat()
  const live = createLive()
  const alarms = watchAlarms(correlator)
  const views = { failed: keepers.length > 0 }
  const handle = dashboardHandler({
    mount: path.replace(/\/$/, ''),
    authorize,
    secret,
    trustedProxies: addressRanges('dashboard: trustedProxies', trustedProxies),
    sources: { correlator, alarms: alarms.list, failed: keepers },
    route: (below) => routeOf(below, views),
    navigation: navigationOf(views),
    live,
  })
  return {
    handler: fetchHandler(handle),
    nodeHandler: nodeHandler(handle),
    close() {
      alarms.close()
      live.close()
    },
  }
}
