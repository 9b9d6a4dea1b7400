import { UsageError } from '../errors.js'
import type { ProviderKit } from '../provider-kit.js'
import { mailgunKit } from '../providers/mailgun/kit.js'
import { mandrillKit } from '../providers/mandrill/kit.js'
import { sendgridKit } from '../providers/sendgrid/kit.js'

/** The providers that the command line knows: the one place beside the exports that names them. */
export const kits: readonly ProviderKit[] = [sendgridKit, mailgunKit, mandrillKit]

/** @throws UsageError when there is none of that name */
export function kitNamed(name: string): ProviderKit {
  const kit = kits.find(({ provider }) => provider === name.toLowerCase())
  if (kit) return kit
  const known = kits.map(({ provider }) => provider).join(', ')
  throw new UsageError(`there is no provider ${JSON.stringify(name)}: there are ${known}`)
}
