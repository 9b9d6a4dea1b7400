import type { BounceKind, EventFact, RejectReason } from '../../event.js'
import { type Fields, fields, flag, smtpCodes, text, wholeNumber } from '../../payload.js'

// What Mailgun's own lists stopped, by reason and by internal code: nothing was tried.
const suppressions = new Map<string, RejectReason>([
  ['suppress-bounce', 'bounced'],
  ['605', 'bounced'],
  ['suppress-unsubscribe', 'unsubscribed'],
  ['606', 'unsubscribed'],
  ['suppress-complaint', 'spam'],
  ['607', 'spam'],
  ['625', 'blocked'],
])

/** What a `failed` event says: stopped before it was tried, put off, or given up. */
export function readFailure(raw: Fields): EventFact {
  const status = fields(raw['delivery-status'])
  const reason = text(raw['reason']) ?? ''
  const code = text(status['code']) ?? ''
  const response = readResponse(status)
  const suppressed = suppressionBy(reason, code)
  if (suppressed !== undefined) {
    return {
      type: 'rejected',
      reason: suppressed,
      ...(response !== undefined && { detail: response }),
    }
  }
  // Retries are over, whatever the severity says (feedback.mailgun.com, for mails without an MX).
  const expired = reason === 'old' || code === '602'
  if (!expired && isTemporary(text(raw['severity']), reason, status)) {
    return { type: 'deferred', ...smtpReply(raw) }
  }
  const codes = readCodes(status)
  return {
    type: 'bounced',
    bounce: {
      kind: expired ? 'soft' : bounceKind(reason, text(status['bounce-type']), codes),
      asynchronous: flag(fields(raw['flags'])['is-delayed-bounce']) ?? false,
      ...codes,
    },
    ...(response !== undefined && { response }),
  }
}

function suppressionBy(reason: string, code: string): RejectReason | undefined {
  const known = suppressions.get(reason) ?? suppressions.get(code)
  // The list of reasons is open, and what begins so was not tried either.
  return known ?? (reason.startsWith('suppress-') ? 'other' : undefined)
}

/** By reason and codes where no severity says it: mailgun-go knows others than these two. */
function isTemporary(severity: string | undefined, reason: string, status: Fields): boolean {
  const word = severity?.toLowerCase()
  if (word === 'temporary' || word === 'permanent') return word === 'temporary'
  if (reason === 'greylisted') return true
  const { enhancedCode } = readCodes(status)
  return (enhancedCode ?? text(status['code']))?.startsWith('4') ?? false
}

const kindsByReason = new Map<string, BounceKind>([
  ['espblock', 'block'],
  ['blacklisted', 'block'],
])

// Mailgun's bounce type tells what may be tried again from what may not, and nothing beyond that.
const kindsByType = new Map<string, BounceKind>([
  ['hard', 'hard'],
  ['soft', 'soft'],
])

const kindsByVagueReason = new Map<string, BounceKind>([
  ['bounce', 'hard'],
  ['hardfail', 'hard'],
])

// RFC 3463: 5.7 is security or policy, 5.2.2 a full mailbox.
const kindsByCode: readonly [begin: RegExp, kind: BounceKind][] = [
  [/^5\.7\./, 'block'],
  [/^5\.2\.2$/, 'soft'],
]

const kindsByClass: readonly [begin: RegExp, kind: BounceKind][] = [
  [/^5/, 'hard'],
  [/^4/, 'soft'],
]

function bounceKind(
  reason: string,
  bounceType: string | undefined,
  { smtpCode, enhancedCode }: { smtpCode?: number; enhancedCode?: string },
): BounceKind {
  const code = enhancedCode ?? String(smtpCode ?? '')
  return (
    kindsByReason.get(reason) ??
    kindBy(kindsByCode, code) ??
    kindsByType.get(bounceType?.toLowerCase() ?? '') ??
    kindsByVagueReason.get(reason) ??
    kindBy(kindsByClass, code) ??
    'unknown'
  )
}

function kindBy(
  kinds: readonly [begin: RegExp, kind: BounceKind][],
  code: string,
): BounceKind | undefined {
  return kinds.find(([begin]) => begin.test(code))?.[1]
}

/** What the receiving server answered. */
export function smtpReply(raw: Fields): {
  response?: string
  smtpCode?: number
  attempt?: number
} {
  const status = fields(raw['delivery-status'])
  const response = readResponse(status)
  const { smtpCode } = readCodes(status)
  const attempt = wholeNumber(status['attempt-no'])
  return {
    ...(response !== undefined && { response }),
    ...(smtpCode !== undefined && { smtpCode }),
    ...(attempt !== undefined && { attempt }),
  }
}

function readResponse(status: Fields): string | undefined {
  return text(status['message']) ?? text(status['description'])
}

function readCodes(status: Fields): { smtpCode?: number; enhancedCode?: string } {
  const code = wholeNumber(status['code'])
  // 498 and 499 (no MX, no connection) and everything from 600 are Mailgun's own.
  const smtpCode = code !== undefined && code >= 200 && code < 600 && code !== 498 && code !== 499
  const named = text(status['enhanced-code']) ?? text(status['bounce-code'])
  // Older events have the enhanced code in place of the other.
  const { enhancedCode = smtpCodes(text(status['code'])).enhancedCode } = smtpCodes(
    named ?? text(status['message']),
  )
  return {
    ...(smtpCode && { smtpCode: code }),
    ...(enhancedCode !== undefined && { enhancedCode }),
  }
}

/** What a `rejected` event says: Mailgun did not take the message, for reasons it only words. */
export function readRejection(raw: Fields): EventFact {
  const { reason, description } = fields(raw['reject'])
  const detail = text(reason) ?? text(description)
  return { type: 'rejected', reason: 'other', ...(detail !== undefined && { detail }) }
}
