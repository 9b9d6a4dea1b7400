import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { messageOf, UsageError } from '../errors.js'
import { hasMethods } from '../has-methods.js'
import { type Fields, fields, isFields, text, texts } from '../payload.js'
import type { ProviderKit, ProviderSettings } from '../provider-kit.js'
import type { Store } from '../store.js'
import { mysqlStore } from '../stores/mysql.js'
import { postgresStore } from '../stores/postgres.js'
import { sqliteStore } from '../stores/sqlite.js'
import type { Io } from './io.js'
import { kits } from './providers.js'

/** What somebody has set, in the environment and in a file; the environment goes before. */
export interface Configuration {
  /** The file that was read, if there was one. */
  file?: string
  /** Where the webhooks are mounted, as providers see it, such as `https://example.com/webhooks`. */
  url?: string
  /** Of one provider; empty where nothing is set. */
  settings(kit: ProviderKit): ProviderSettings
  /** What messages have under the provider's name in the application. */
  mail(kit: ProviderKit): Fields
  /** Opens nothing yet; whoever takes it closes it. */
  store(): Store
  readonly hasStore: boolean
}

const names = ['js', 'mjs', 'cjs', 'json'].map((ending) => `mailtrail.config.${ending}`)

/**
 * @param path of the file; by default that of its name in the working directory, or none
 * @throws UsageError when it is not there, or holds what nobody asks for
 */
export async function loadConfiguration(
  io: Pick<Io, 'env' | 'cwd'>,
  path?: string,
): Promise<Configuration> {
  const file =
    path === undefined
      ? names.map((name) => join(io.cwd, name)).find((name) => existsSync(name))
      : resolve(io.cwd, path)
  const given = file === undefined ? {} : await readFile(file)
  checkNames('', given, ['store', 'url', ...kits.map(({ provider }) => provider)])
  for (const kit of kits) {
    const known = ['mail', ...kit.settings.map(({ name }) => name)]
    checkNames(`${kit.provider}.`, fields(given[kit.provider]), known)
  }
  const url = text(io.env['MAILTRAIL_URL']) ?? text(given['url'])
  const place = text(io.env['MAILTRAIL_STORE']) ?? given['store']
  return {
    ...(file !== undefined && { file }),
    ...(url !== undefined && { url }),
    settings: (kit) => settingsOf(kit, fields(given[kit.provider]), io.env),
    mail: (kit) => fields(fields(given[kit.provider])['mail']),
    store: () => openable(place, io.cwd),
    hasStore: place !== undefined,
  }
}

async function readFile(file: string): Promise<Fields> {
  if (!existsSync(file)) throw new UsageError(`there is no file ${file}`)
  let value: unknown
  try {
    value = file.endsWith('.json') ? JSON.parse(readFileSync(file, 'utf8')) : await load(file)
  } catch (error) {
    throw new UsageError(`${file} could not be read: ${messageOf(error)}`)
  }
  if (isFields(value)) return value
  throw new UsageError(`${file} exports no object: export default { store, url, … }`)
}

async function load(file: string): Promise<unknown> {
  // CommonJS makes a require() of the import, which takes no URL; on Windows a module takes no path.
  const specifier = typeof require === 'function' ? file : pathToFileURL(file).href
  const module: unknown = await import(specifier)
  const { default: exported = module } = fields(module)
  // What CommonJS exports, imported as a module that was made of TypeScript.
  return isFields(exported) && isFields(exported['default']) ? exported['default'] : exported
}

/** A setting that is misspelt would be missed elsewhere. */
function checkNames(prefix: string, given: Fields, known: readonly string[]): void {
  const unknown = Object.keys(given).find((name) => !known.includes(name))
  if (unknown === undefined) return
  throw new UsageError(
    `the configuration has ${prefix}${unknown}, which is none of ${known.map((name) => prefix + name).join(', ')}`,
  )
}

function settingsOf(kit: ProviderKit, given: Fields, env: Io['env']): ProviderSettings {
  return Object.fromEntries(
    kit.settings.flatMap(({ name, variable }): [string, string | string[]][] => {
      const inEnvironment = text(env[variable])
      if (inEnvironment !== undefined) return [[name, inEnvironment.trim()]]
      const [first, ...others] = texts(given[name] ?? [])
      if (first === undefined) return []
      return [[name, others.length === 0 ? first : [first, ...others]]]
    }),
  )
}

function openable(place: unknown, cwd: string): Store {
  if (isStore(place)) return place
  const where = text(place)
  if (where === undefined) {
    throw new UsageError(
      'there is no store: set MAILTRAIL_STORE to the file or the URL that the application uses, such as mailtrail.db or postgres://…, or `store` in mailtrail.config.js',
    )
  }
  if (/^postgres(?:ql)?:/.test(where)) return postgresStore(where)
  if (/^(?:mysql|mariadb):/.test(where)) return mysqlStore(where)
  const file = resolve(cwd, where.replace(/^(?:sqlite|file):(?:\/\/)?/, ''))
  if (!existsSync(file)) {
    throw new UsageError(`there is no ${file}: the application makes it when it first starts`)
  }
  return sqliteStore(file)
}

function isStore(value: unknown): value is Store {
  return hasMethods(value, 'ingest')
}

/** Where a provider posts to. */
export function endpointOf(
  configuration: Pick<Configuration, 'url'>,
  kit: ProviderKit,
  settings: ProviderSettings,
): string | undefined {
  const [own] = texts(settings['url'] ?? [])
  if (own !== undefined) return own
  const { url } = configuration
  return url === undefined ? undefined : below(url, kit.provider)
}

/** A provider's endpoint below a URL, which keeps its query. */
export function below(url: string, provider: string): string {
  const [, path = '', query = ''] = /^([^?]*)(\?.*)?$/.exec(url) ?? []
  return `${path.replace(/\/+$/, '')}/${provider}${query}`
}
