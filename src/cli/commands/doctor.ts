import { messageOf, UsageError } from '../../errors.js'
import { texts } from '../../payload.js'
import type { Finding, Inspection, ProviderKit, ProviderSettings } from '../../provider-kit.js'
import { compareWebhooks } from '../account-findings.js'
import { type ClockReading, compareClocks } from '../clock-findings.js'
import { type Configuration, endpointOf } from '../configuration.js'
import { type EndpointInspection, inspectEndpoint } from '../endpoint-findings.js'
import { createPrinter, type ExitCode, type Io, type Printer } from '../io.js'
import { kitNamed, kits } from '../providers.js'
import { knownSandbox, type Sandbox } from '../sandbox.js'
import { findSandboxKeys, findUrlFaults, isOfSandbox } from '../setting-findings.js'

export interface DoctorOptions {
  /** Whether something signed is posted to the endpoint. */
  probe: boolean
  json?: boolean
}

interface Diagnosis {
  findings: Finding[]
  /** What could not be looked at, and why. */
  skipped: string[]
}

/** Looks for what keeps mail or its events from getting where they should. */
export async function doctor(
  provider: string | undefined,
  { probe, json }: DoctorOptions,
  configuration: Configuration,
  io: Io,
): Promise<ExitCode> {
  const printer = createPrinter(io.stdout, io.env, json)
  const asked =
    provider === undefined
      ? kits.filter((kit) => Object.keys(configuration.settings(kit)).length > 0)
      : [kitNamed(provider)]
  if (asked.length === 0) {
    const known = kits.map((kit) => kit.provider).join(', ')
    throw new UsageError(
      `nothing is set for any provider: name one of ${known}, and what it needs is told`,
    )
  }
  let faults = 0
  for (const kit of asked) {
    const { findings, skipped } = await diagnose(kit, configuration, probe, io)
    faults += findings.filter(({ severity }) => severity === 'fault').length
    printer.record({ provider: kit.provider, findings, skipped })
    tell(printer, kit, findings, skipped)
  }
  return faults === 0 ? 0 : 1
}

async function diagnose(
  kit: ProviderKit,
  configuration: Configuration,
  probe: boolean,
  io: Io,
): Promise<Diagnosis> {
  const settings = configuration.settings(kit)
  const url = endpointOf(configuration, kit, settings)
  const sandbox = knownSandbox(io)
  const skipped: string[] = []
  const ofSettings = kit.findFaults(settings)
  // What follows from a key that is none is not told beside it.
  const keyIsGood = !ofSettings.some(({ severity }) => severity === 'fault')
  const findings = [
    ...ofSettings,
    ...kit.findMailFaults(configuration.mail(kit)),
    ...findUrlFaults(url, settings),
    ...findSandboxKeys(kit, url, settings, sandbox),
  ]

  const inspection = await inspectAccount(kit, settings, skipped)
  const provider = readingOf(`${kit.title}'s`, inspection?.answeredAt, io)
  findings.push(...(inspection?.findings ?? []))
  if (url === undefined) {
    skipped.push('the endpoint and its registration: set MAILTRAIL_URL to where it is mounted')
    return { findings: [...findings, ...compareClocks(provider, undefined)], skipped }
  }
  const keys = keyIsGood ? texts(settings[kit.verifiedWith] ?? []) : []
  const registration =
    inspection?.webhooks && compareWebhooks(kit, inspection.webhooks, { url, keys })
  findings.push(...(registration?.findings ?? []))

  // Where signatures do not cover the URL, what counts is the one that the provider posts to.
  const posted = kit.signsUrl ? url : (registration?.url ?? url)
  const signing =
    probe && keyIsGood ? signingSettings(kit, { ...settings, url }, keys, sandbox) : undefined
  const endpoint = await inspectEndpoint(kit, posted, signing, io.now)
  if (!endpoint.probed && endpoint.findings.length === 0) {
    skipped.push(whyNotProbed(kit, probe, keyIsGood))
  }
  findings.push(...endpoint.findings)
  findings.push(...compareClocks(provider, endpointReading(endpoint, io)))
  return { findings: each(findings), skipped }
}

async function inspectAccount(
  kit: ProviderKit,
  settings: ProviderSettings,
  skipped: string[],
): Promise<Inspection | undefined> {
  try {
    return await kit.createAccount(settings).inspect()
  } catch (error) {
    skipped.push(`the account: ${messageOf(error)}`)
    return undefined
  }
}

/** What can sign so that the endpoint takes it. */
function signingSettings(
  kit: ProviderKit,
  settings: ProviderSettings,
  keys: readonly string[],
  sandbox: Sandbox,
): ProviderSettings | undefined {
  if (kit.createSimulator(settings)) return settings
  // The sandbox's key may be one of those that the endpoint takes.
  return isOfSandbox(kit, keys, sandbox) ? { ...settings, ...sandbox(kit) } : undefined
}

function whyNotProbed({ title }: ProviderKit, probe: boolean, keyIsGood: boolean): string {
  const what = 'a signed probe of the endpoint'
  if (!probe) return `${what}: --no-probe`
  return keyIsGood
    ? `${what}: nothing is set that signs as ${title} does (docs/cli.md, "doctor")`
    : `${what}: the key is to be set right first`
}

function readingOf(whose: string, shown: Date | undefined, io: Io): ClockReading | undefined {
  return shown && { whose, shown, here: io.now() }
}

function endpointReading({ answeredAt }: EndpointInspection, io: Io): ClockReading | undefined {
  return readingOf("the endpoint's", answeredAt, io)
}

/** Of several of one code the first. */
function each(findings: readonly Finding[]): Finding[] {
  return findings.filter(
    ({ code }, index) => findings.findIndex((other) => other.code === code) === index,
  )
}

function tell(
  printer: Printer,
  { title }: ProviderKit,
  findings: readonly Finding[],
  skipped: readonly string[],
): void {
  printer.line(printer.bold(title))
  if (findings.length === 0) printer.line(`  ${printer.green('nothing wrong was found')}`)
  for (const { code, severity, what, todo } of findings) {
    const paint = severity === 'fault' ? printer.red : printer.yellow
    printer.line(`  ${paint(`${severity} ${code}`)}`)
    printer.line(`    ${what}`)
    printer.line(`    ${todo}`)
  }
  for (const why of skipped) printer.line(printer.dim(`  not looked at: ${why}`))
}
