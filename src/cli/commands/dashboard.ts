import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { createCorrelator } from '../../correlator.js'
import { byGuards, dashboard } from '../../dashboard/index.js'
import { basicAuth } from '../../guards.js'
import { text } from '../../payload.js'
import type { Configuration } from '../configuration.js'
import { createPrinter, ended, type ExitCode, type Io } from '../io.js'
import { listenAt } from '../ports.js'

export interface DashboardCommandOptions {
  port: number
  json?: boolean
}

const user = 'mailtrail'

/** Serves the dashboard of a store on this machine, to whoever has the password. */
export async function serveDashboard(
  { port, json }: DashboardCommandOptions,
  configuration: Configuration,
  io: Io,
): Promise<ExitCode> {
  const printer = createPrinter(io.stdout, io.env, json)
  const set = text(io.env['MAILTRAIL_DASHBOARD_PASSWORD'])
  const password = set ?? randomBytes(12).toString('base64url')
  const correlator = createCorrelator({ store: configuration.store() })
  const authorize = byGuards(basicAuth(user, password))
  const board = dashboard({ correlator, authorize, path: '/' })
  const server = createServer(board.nodeHandler)
  try {
    const url = `${await listenAt(server, port)}/`
    printer.line(`The dashboard is at ${url}`)
    printer.line(
      set === undefined
        ? `It asks for a user and a password: ${user} and ${password}`
        : `It asks for a user and a password: ${user}, and what MAILTRAIL_DASHBOARD_PASSWORD says.`,
    )
    printer.record({ kind: 'ready', url, user, ...(set === undefined && { password }) })
    await ended(io.signal)
    return 0
  } finally {
    board.close()
    server.closeAllConnections()
    server.close()
    await correlator.close()
  }
}
