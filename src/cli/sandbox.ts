import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { type Fields, fields, texts } from '../payload.js'
import type { ProviderKit, ProviderSettings } from '../provider-kit.js'
import type { Io } from './io.js'
import { kits } from './providers.js'

/** The keys of the sandbox: this person's own, the same with every start. */
export type Sandbox = (kit: ProviderKit) => ProviderSettings

/** Where they are kept: keys that anybody knew would let anybody in where they are forgotten. */
function sandboxFile(env: Io['env']): string {
  const folder = env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config')
  return join(folder, 'mailtrail', 'sandbox.json')
}

/** Reads the keys, or makes those that are not there. */
export function openSandbox({ env }: Pick<Io, 'env'>): Sandbox {
  const file = sandboxFile(env)
  const known = readKeys(file)
  const settings = new Map(
    kits.map((kit) => [kit.provider, { ...kit.newSandbox(), ...known[kit.provider] }]),
  )
  const whole = JSON.stringify(Object.fromEntries(settings), null, 2)
  if (whole !== JSON.stringify(known, null, 2)) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    writeFileSync(file, whole, { mode: 0o600 })
  }
  return (kit) => settings.get(kit.provider) ?? {}
}

/** The keys that were made before; of a provider without, none. */
export function knownSandbox({ env }: Pick<Io, 'env'>): Sandbox {
  const known = readKeys(sandboxFile(env))
  return (kit) => known[kit.provider] ?? {}
}

function readKeys(file: string): Record<string, ProviderSettings> {
  let stored: Fields
  try {
    stored = fields(JSON.parse(readFileSync(file, 'utf8')))
  } catch {
    // There is none yet, or none that can be read: there are new ones then.
    return {}
  }
  return Object.fromEntries(
    Object.entries(stored).map(([provider, settings]) => [
      provider,
      Object.fromEntries(
        Object.entries(fields(settings)).map(([name, value]) => [name, texts(value)[0] ?? '']),
      ),
    ]),
  )
}
