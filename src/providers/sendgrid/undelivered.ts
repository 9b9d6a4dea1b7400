import type { BounceKind, EventFact, RejectReason } from '../../event.js'
import { type Fields, smtpCodes, text } from '../../payload.js'

/** What a bounce tells, whether it is for good, and who is to blame. */
export function readBounce(raw: Fields, asynchronous: boolean): EventFact {
  const response = text(raw['reason'])
  const codes = { ...smtpCodes(response), ...smtpCodes(text(raw['status'])) }
  const type = text(raw['type'])?.trim().toLowerCase() ?? ''
  const classified = valueAt(classifications, text(raw['bounce_classification']))
  return {
    type: 'bounced',
    bounce: { kind: kindOf(type, classified, codes), asynchronous, ...codes },
    ...(response !== undefined && { response }),
  }
}

type Codes = ReturnType<typeof smtpCodes>

/** By how a text begins, in lower case and in one word; the first that fits. */
type Beginnings<Value> = readonly (readonly [start: string, value: Value])[]

function valueAt<Value>(beginnings: Beginnings<Value>, found: string | undefined) {
  const word = found?.toLowerCase().replace(/[\s_-]/g, '') ?? ''
  return beginnings.find(([start]) => word.startsWith(start))?.[1]
}

// `Unclassified` says nothing. Older documents have short forms, such as `invalid`.
const classifications: Beginnings<BounceKind> = [
  ['invalid', 'hard'],
  ['technical', 'soft'],
  ['mailbox', 'soft'],
  ['content', 'block'],
  ['reputation', 'block'],
  ['frequency', 'block'],
]

// SendGrid's type tells what it does about the address, which is not always what the server said:
// `blocked` is also a full mailbox. `expired` is deferred until SendGrid gave up, after up to 72 h.
const kinds = new Map<
  string,
  (classified: BounceKind | undefined, codes: Codes) => BounceKind | undefined
>([
  [
    'bounce',
    (classified, codes) =>
      classified === 'block' || (classified === 'soft' && isTemporary(codes)) ? classified : 'hard',
  ],
  ['blocked', (classified, codes) => classified ?? kindOfBlock(codes) ?? 'block'],
  ['expired', () => 'soft'],
])

/** The test button's bounce has no type, so there what else it says decides. */
function kindOf(type: string, classified: BounceKind | undefined, codes: Codes): BounceKind {
  return kinds.get(type)?.(classified, codes) ?? classified ?? kindOfCodes(codes)
}

/** By what the enhanced code says without its class: x.7.x is security and policy, x.2.2 is full. */
function kindOfBlock({ enhancedCode = '' }: Codes): BounceKind | undefined {
  if (enhancedCode.slice(1).startsWith('.7.')) return 'block'
  return enhancedCode.slice(1) === '.2.2' || enhancedCode.startsWith('4') ? 'soft' : undefined
}

function kindOfCodes(codes: Codes): BounceKind {
  return kindOfBlock(codes) ?? classes.get(firstDigit(codes) ?? '') ?? 'unknown'
}

const classes = new Map<string, BounceKind>([
  ['4', 'soft'],
  ['5', 'hard'],
])

const isTemporary = (codes: Codes): boolean => firstDigit(codes) === '4'

function firstDigit({ enhancedCode, smtpCode }: Codes): string | undefined {
  return (enhancedCode ?? String(smtpCode ?? '')).at(0)
}

// Of the variants for groups the exact text is not documented. What is not here says nothing of the
// address, such as `Recipient List over Package Quota`.
const dropReasons: Beginnings<RejectReason> = [
  ['bounce', 'bounced'],
  ['unsubscribe', 'unsubscribed'],
  ['groupunsubscribe', 'unsubscribed'],
  ['spamreport', 'spam'],
  ['spamcontent', 'blocked'],
  ['invalidsmtpapi', 'other'],
  ['invalid', 'invalid'],
  ['blocked', 'blocked'],
  ['expired', 'timed-out'],
]

/** Why SendGrid did not try to deliver. */
export function readDrop(raw: Fields): EventFact {
  const detail = text(raw['reason'])
  // Some bear their reason as a type alone (django-anymail reads both).
  const reason = valueAt(dropReasons, detail ?? text(raw['type']))
  return {
    type: 'rejected',
    reason: reason ?? 'other',
    ...(detail !== undefined && { detail }),
  }
}
