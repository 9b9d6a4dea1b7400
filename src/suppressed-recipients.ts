import { applyChange } from './before-send.js'
import { addressesOf, type Draft } from './draft.js'
import type { MailSource } from './mail-source.js'
import { canonicalAddress } from './matching.js'
import type { SentRecipient } from './message.js'
import type { SendRecorder } from './provider.js'
import type { Suppression } from './store.js'

/** Takes those out of the draft who must not be mailed, and gives them, each with why and since when. */
export async function refuseSuppressed(
  draft: Draft,
  source: MailSource,
  suppressionsOf: NonNullable<SendRecorder['suppressionsOf']>,
  provider: string,
  groups: readonly string[],
): Promise<SentRecipient[]> {
  const { head } = draft
  const addresses = [...new Set([...addressesOf(head), ...head.envelope.to].map(canonicalAddress))]
  if (draft.ignoresSuppressions || addresses.length === 0) return []
  const suppressions = await suppressionsOf(provider, addresses, groups)
  if (suppressions.length === 0) return []
  const refused = suppressions.map((suppression) => ({
    address: suppression.address,
    reason: reasonOf(suppression),
  }))
  return applyChange({ refused }, draft, source)
}

const causes = {
  bounced: 'it bounced for good',
  complained: 'its owner complained of spam',
  unsubscribed: 'its owner has unsubscribed',
  listed: 'it is on a list of the provider',
  added: 'it was added by hand',
} as const satisfies Record<Suppression['cause'], string>

/** Without the words of a server, which may have the address in them. */
function reasonOf({ cause, scope, since }: Suppression): string {
  const what = scope.kind === 'all' ? '' : ` from the ${scope.kind} ${scope.id ?? ''}`
  return `suppressed since ${since.toISOString()}, for ${causes[cause]}${what}`
}
