import type { EventFact, RejectReason } from '../../event.js'
import { type Fields, fields, listOfFields, smtpCodes, text, wholeNumber } from '../../payload.js'

/** What a bounce tells, by the kind that Mandrill has for it. */
export function readBounce(kind: 'hard' | 'soft', message: Fields): EventFact {
  const response = text(message['diag']) ?? text(message['bounce_description'])
  const codes = smtpCodes(response)
  return {
    type: 'bounced',
    bounce: {
      kind: kind === 'soft' && isBlock(message, codes.enhancedCode) ? 'block' : kind,
      asynchronous: cameBackAsMail(message, response),
      ...codes,
    },
    ...(response !== undefined && { response }),
  }
}

// `bgtools_code` is the code that BoogieTools' BounceStudio gives; these are its mail blocks, from
// "general" to "relay denied" (its documents, Email Bounce Return Codes).
const firstMailBlock = 50
const lastMailBlock = 54

/** Whether the sender or the content was refused rather than the address. */
function isBlock(message: Fields, enhancedCode: string | undefined): boolean {
  const code = wholeNumber(message['bgtools_code']) ?? 0
  return (
    // The codes of security and policy (RFC 3463).
    enhancedCode?.split('.')[1] === '7' ||
    (code >= firstMailBlock && code <= lastMailBlock) ||
    /spam|block|polic/i.test(text(message['bounce_description']) ?? '')
  )
}

/** Whether the receiving server had taken it before it sent a bounce. */
function cameBackAsMail(message: Fields, diagnosis: string | undefined): boolean {
  return (
    smtpEvents(message).some(({ type }) => type === 'sent' || type === 'delivered') ||
    // What stands before the semicolon is `smtp` in the dialogue; bounce mails have words of their own.
    /^\s*x-[\w-]+\s*;/i.test(diagnosis ?? '')
  )
}

// By the reason with hyphens. The others speak of the sender or the account: `invalid-sender`, `unsigned`,
// `test`, `test-mode-limit`, `recipient-domain-mismatch`, limits by the hour and the day.
const rejectReasons = new Map<string, RejectReason>([
  ['hard-bounce', 'bounced'],
  ['soft-bounce', 'bounced'],
  ['spam', 'spam'],
  ['unsub', 'unsubscribed'],
  ['custom', 'blocked'],
  ['rule', 'blocked'],
  ['invalid', 'invalid'],
])

/** Why Mandrill did not try to deliver. */
export function readReject(_raw: Fields, message: Fields): EventFact {
  // Real reject events often say no reason at all.
  const detail = text(fields(message['reject'])['reason'])
  // Older documents wrote underscores.
  const word = detail?.trim().toLowerCase().replace(/[_\s]/g, '-') ?? ''
  const reason = rejectReasons.get(word) ?? 'other'
  return { type: 'rejected', reason, ...(detail !== undefined && { detail }) }
}

/** The attempts at SMTP that are told with a message. */
export const smtpEvents = (message: Fields): Fields[] => listOfFields(message['smtp_events'])
