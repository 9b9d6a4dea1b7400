import { texts } from '../payload.js'
import type { Finding, ProviderKit, ProviderSettings } from '../provider-kit.js'
import type { Sandbox } from './sandbox.js'

/** What is wrong with where things are said to be, whichever provider it is. */
export function findUrlFaults(url: string | undefined, { baseUrl }: ProviderSettings): Finding[] {
  const findings: Finding[] = []
  if (url !== undefined && /^http:/i.test(url) && !isLocal(url)) {
    findings.push({
      code: 'plain-http',
      severity: 'warning',
      what: 'The URL of the webhook is without https: addresses and what people do goes in the clear.',
      todo: 'Serve it with https, and enter it so.',
    })
  }
  const [base] = texts(baseUrl ?? [])
  if (base !== undefined && url !== undefined && isLocal(base) && !isLocal(url)) {
    findings.push({
      code: 'sandbox-mode',
      severity: 'fault',
      what: 'The base URL of the API is on this machine: messages go to a sandbox, and to nobody else.',
      todo: 'Take the base URL out of the settings.',
    })
  }
  return findings
}

const isLocal = (url: string): boolean =>
  URL.canParse(url) && /^(?:localhost|127\.|\[::1\])/.test(new URL(url).hostname)

/** A key that was copied from the sandbox and never replaced. */
export function findSandboxKeys(
  kit: ProviderKit,
  url: string | undefined,
  settings: ProviderSettings,
  sandbox: Sandbox,
): Finding[] {
  if (url === undefined || isLocal(url)) return []
  if (!isOfSandbox(kit, texts(settings[kit.verifiedWith] ?? []), sandbox)) return []
  return [
    {
      code: 'sandbox-mode',
      severity: 'fault',
      what: `The webhook is verified with the key of the sandbox: this machine can sign for ${kit.title}, and ${kit.title} cannot.`,
      todo: `Set the key that ${kit.title} shows.`,
    },
  ]
}

/** Whether one of these keys is that of the sandbox. */
export function isOfSandbox(kit: ProviderKit, keys: readonly string[], sandbox: Sandbox): boolean {
  const [shown] = texts(sandbox(kit)[kit.verifiedWith] ?? [])
  return shown !== undefined && keys.some((key) => kit.isSameKey(key, shown))
}
