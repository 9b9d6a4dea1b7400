import { randomBytes } from 'node:crypto'
import { UsageError } from '../../errors.js'
import { createPrinter, type ExitCode, type Io } from '../io.js'
import { kits } from '../providers.js'

export interface SecretOptions {
  json?: boolean
}

/** Makes a secret: of a guard, of what is forwarded, or the key pair that signs probes. */
export function secret(kind: string, { json }: SecretOptions, io: Io): ExitCode {
  const printer = createPrinter(io.stdout, io.env, json)
  const show = (lines: Record<string, string>): ExitCode => {
    printer.record(lines)
    const entries = Object.entries(lines)
    // One alone is for $(mailtrail secret).
    for (const [name, value] of entries) {
      printer.line(entries.length === 1 ? value : `${name}=${value}`)
    }
    return 0
  }
  if (kind === 'guard') return show({ secret: randomBytes(32).toString('base64url') })
  if (kind === 'forwarding') return show({ secret: `whsec_${randomBytes(32).toString('base64')}` })
  if (kind === 'probe') {
    // Of those whose signing keys are shared, the key that is set signs.
    const pairs = kits.flatMap((kit) => {
      const made = kit.newSandbox()
      if (made['privateKey'] === undefined) return []
      return kit.settings.flatMap(({ name, variable }): [string, string][] =>
        name === 'privateKey' || name === kit.verifiedWith ? [[variable, String(made[name])]] : [],
      )
    })
    return show(Object.fromEntries(pairs))
  }
  throw new UsageError(
    `there is no secret ${JSON.stringify(kind)}: there are guard, forwarding, probe`,
  )
}
