import { WaitError } from '../errors.js'
import type { Bounce, EventOf, EventType, MailEvent } from '../event.js'
import { canonicalAddress } from '../matching.js'
import type { Questions } from '../questions.js'
import type { TrackedMessage } from '../tracked-message.js'
import { timelineOf } from './mail-report.js'

/** Which mail is expected: what `sendMail` resolved with, or what is known of it. */
export type ExpectedMail =
  | { trackingId: string }
  | {
      to?: string
      subject?: string | RegExp
      tag?: string
      metadata?: Readonly<Record<string, string>>
    }

/** Where to look, and for how long. */
export interface Expectation {
  correlator: Pick<Questions, 'find' | 'message' | 'waitFor'>
  /** Whose mail it is; by default the `to` of what is expected, or else anybody's. */
  to?: string
  /** How long to wait for it, in ms; default 4000, and 0 after `.not`. */
  timeout?: number
}

/** A bounce of this kind, or any. */
export interface BounceExpectation extends Expectation {
  kind?: Bounce['kind']
}

/** A click on this link, or any. */
export interface ClickExpectation extends Expectation {
  url?: string | RegExp
}

/** What is expected of a mail; of anything else nothing can be. */
type For<Given, E extends Expectation> = Given extends ExpectedMail ? E : never

/** What `expect` has beside its own, for what it was given. */
export interface MailMatchers<Given = ExpectedMail> {
  /** The provider has accepted it, for that recipient. */
  toHaveBeenSent(expectation: For<Given, Expectation>): Promise<void>
  /** The receiving server has taken it, for that recipient. */
  toHaveBeenDelivered(expectation: For<Given, Expectation>): Promise<void>
  /** The receiving server has put it off; the provider tries again. */
  toHaveBeenDeferred(expectation: For<Given, Expectation>): Promise<void>
  /** It could not be delivered to that recipient. */
  toHaveBounced(expectation: For<Given, BounceExpectation>): Promise<void>
  /** The provider has not tried to deliver it. */
  toHaveBeenRejected(expectation: For<Given, Expectation>): Promise<void>
  /** The recipient, or a machine on the way, has opened it. */
  toHaveBeenOpened(expectation: For<Given, Expectation>): Promise<void>
  /** A link of it was followed. */
  toHaveBeenClicked(expectation: For<Given, ClickExpectation>): Promise<void>
  /** The recipient has complained of it. */
  toHaveBeenReportedAsSpam(expectation: For<Given, Expectation>): Promise<void>
  /** The recipient has unsubscribed by it. */
  toHaveBeenUnsubscribedFrom(expectation: For<Given, Expectation>): Promise<void>
}

/** What jest and vitest take for the result of a matcher. */
interface Verdict {
  pass: boolean
  message: () => string
}

/** What they call it on. */
interface Matching {
  isNot?: boolean
}

type Matcher<E extends Expectation> = (
  this: Matching,
  mail: unknown,
  expectation: E,
) => Promise<Verdict>

/** What is looked for in the messages that may be meant. */
interface Wanted<E extends Expectation> {
  /** After "to have". */
  words: string
  /** After that, where one in particular is expected. */
  which?: (expectation: E) => string | undefined
  fits: (message: TrackedMessage, to: string | undefined, expectation: E) => boolean
  /** The event whose impossibility ends the waiting. */
  type?: EventType
}

// The runner's fake clock must stop neither the waiting nor its end.
const setTimer = setTimeout
const clock = performance.now.bind(performance)

const defaultTimeout = 4000
const lookEvery = 20

function matcher<E extends Expectation>(wanted: Wanted<E>): Matcher<E> {
  return async function (mail, expectation) {
    const expected = checkedMail(mail)
    const { correlator } = checkedExpectation(expectation)
    const to = expectation.to ?? ('to' in expected ? expected.to : undefined)
    const timeout = expectation.timeout ?? (this.isNot ? 0 : defaultTimeout)
    const deadline = clock() + timeout
    for (;;) {
      const candidates = await messagesLike(expected, correlator)
      const found = candidates.find((message) => wanted.fits(message, to, expectation))
      const final = await whyNever(candidates, wanted.type, to, correlator)
      if (found || final !== undefined || clock() >= deadline) {
        const words = `${wanted.words}${wanted.which?.(expectation) ?? ''}`
        const have = `${whichMail(expected, to)} ${this.isNot ? 'not ' : ''}to have ${words}`
        const why = found ? undefined : (final ?? `it had not within ${timeout} ms`)
        const report = await timelineOf(found ? [found] : candidates, correlator)
        const lines = [`expected ${have}`, ...(why ? [why] : []), '', report]
        return { pass: found !== undefined, message: () => lines.join('\n') }
      }
      await new Promise((resolve) => setTimer(resolve, lookEvery))
    }
  }
}

function checkedMail(mail: unknown): ExpectedMail {
  if (typeof mail === 'object' && mail !== null) return mail
  throw new TypeError(
    'expect() is to be given what sendMail resolved with, or an object with to, subject, tag or metadata',
  )
}

/** Whoever writes no TypeScript is told what has to be given. */
function checkedExpectation<E extends Expectation>(expectation: E | undefined): E {
  if (expectation?.correlator) return expectation
  throw new TypeError(
    'the matcher is to be given the correlator: toHaveBeenDelivered({ correlator })',
  )
}

async function messagesLike(
  mail: ExpectedMail,
  correlator: Expectation['correlator'],
): Promise<TrackedMessage[]> {
  if ('trackingId' in mail) {
    const message = await correlator.message(mail.trackingId)
    return message ? [message] : []
  }
  const { to, subject, tag, metadata } = mail
  const { messages } = await correlator.find({
    ...(to !== undefined && { recipient: to }),
    ...(tag !== undefined && { tag }),
    ...(metadata && { metadata }),
  })
  const alike = messages.filter(
    (message) => subject === undefined || isLike(message.subject ?? '', subject),
  )
  const whole = await Promise.all(alike.map(({ trackingId }) => correlator.message(trackingId)))
  return whole.flatMap((message) => message ?? [])
}

const isLike = (text: string, wanted: string | RegExp): boolean =>
  typeof wanted === 'string' ? text === wanted : text.search(wanted) >= 0

/** Why none of these will have such an event; undefined while one may, or none is there yet. */
async function whyNever(
  candidates: readonly TrackedMessage[],
  type: EventType | undefined,
  to: string | undefined,
  correlator: Expectation['correlator'],
): Promise<string | undefined> {
  if (type === undefined || candidates.length === 0) return undefined
  const reasons = await Promise.all(
    candidates.map(({ trackingId }) =>
      correlator
        .waitFor(trackingId, type, { timeout: 0, ...(to !== undefined && { recipient: to }) })
        .then(
          () => undefined,
          (error: unknown) => error,
        ),
    ),
  )
  const final = reasons.filter((reason) => reason instanceof WaitError)
  const never = final.filter(({ code }) => code === 'ERULEDOUT')
  return never.length === candidates.length ? never[0]?.message : undefined
}

function whichMail(mail: ExpectedMail, to: string | undefined): string {
  const subject = 'subject' in mail && mail.subject !== undefined ? ` ${String(mail.subject)}` : ''
  const id = 'trackingId' in mail ? ` ${mail.trackingId}` : ''
  return `the mail${subject}${to === undefined ? '' : ` to ${to}`}${id}`
}

/** An event of this type, of that recipient. */
function event<T extends EventType, E extends Expectation = Expectation>(
  type: T,
  words: string,
  isRight: (event: EventOf<T>, expectation: E) => boolean = () => true,
  which?: Wanted<E>['which'],
): Matcher<E> {
  const isOf = (one: MailEvent): one is EventOf<T> => one.type === type
  return matcher<E>({
    words,
    type,
    ...(which && { which }),
    fits: ({ events }, to, expectation) =>
      events.some((one) => isOf(one) && isTo(one, to) && isRight(one, expectation)),
  })
}

const isTo = ({ recipient }: MailEvent, to: string | undefined): boolean =>
  to === undefined || canonicalAddress(recipient ?? '') === canonicalAddress(to)

/**
 * Matchers for the `expect` of jest and of vitest, which wait for what is still to come. The types are in
 * `mailtrail/testing/jest` and `mailtrail/testing/vitest`, from where they can be had too.
 *
 * @example
 * ```ts
 * expect.extend(mailMatchers)
 *
 * await expect(info).toHaveBeenDelivered({ correlator })
 * await expect({ to: 'ann@example.com', subject: /welcome/i }).toHaveBounced({ correlator })
 * ```
 */
export const mailMatchers = {
  toHaveBeenSent: matcher<Expectation>({
    words: 'been sent',
    fits: ({ recipients }, to) =>
      recipients.some(
        (recipient) =>
          (to === undefined || canonicalAddress(recipient.address) === canonicalAddress(to)) &&
          !['pending', 'rejected', 'failed'].includes(recipient.status),
      ),
  }),
  toHaveBeenDelivered: event('delivered', 'been delivered'),
  toHaveBeenDeferred: event('deferred', 'been deferred'),
  toHaveBounced: event<'bounced', BounceExpectation>(
    'bounced',
    'bounced',
    ({ bounce }, { kind }) => kind === undefined || bounce.kind === kind,
    ({ kind }) => kind && ` (${kind})`,
  ),
  toHaveBeenRejected: event('rejected', 'been rejected'),
  toHaveBeenOpened: event('opened', 'been opened'),
  toHaveBeenClicked: event<'clicked', ClickExpectation>(
    'clicked',
    'been clicked',
    (clicked, { url }) => url === undefined || isLike(clicked.url, url),
    ({ url }) => url && ` at ${String(url)}`,
  ),
  toHaveBeenReportedAsSpam: event('complained', 'been reported as spam'),
  toHaveBeenUnsubscribedFrom: event('unsubscribed', 'been unsubscribed from'),
}
