import { expect } from 'vitest'
import type { Correlator } from 'mailtrail'
import type { SendgridInfo } from 'mailtrail/sendgrid'
import { mailMatchers } from 'mailtrail/testing/vitest'

// Compiled, and never run.
expect.extend(mailMatchers)

declare const correlator: Correlator
declare const info: SendgridInfo

export const told: Promise<void>[] = [
  expect(info).toHaveBeenSent({ correlator }),
  expect(info).not.toHaveBounced({ correlator, kind: 'hard', timeout: 10 }),
  expect({ trackingId: '1' }).toHaveBeenDelivered({ correlator, to: 'ann@example.com' }),
  expect({ to: 'ann@example.com', subject: /hi/ }).toHaveBeenClicked({ correlator, url: /x/ }),
  expect({ tag: 'sign-up', metadata: { user: '42' } }).toHaveBeenOpened({ correlator }),
  expect(info).toHaveBeenDeferred({ correlator }),
  expect(info).toHaveBeenRejected({ correlator }),
  expect(info).toHaveBeenReportedAsSpam({ correlator }),
  expect(info).toHaveBeenUnsubscribedFrom({ correlator }),
]

// @ts-expect-error: where to look has to be said
void expect(info).toHaveBeenSent({})
// @ts-expect-error: there is no such kind
void expect(info).toHaveBounced({ correlator, kind: 'medium' })
// @ts-expect-error: a click may have a url, and a delivery none
void expect(info).toHaveBeenDelivered({ correlator, url: 'https://example.com' })
// @ts-expect-error: a text is no mail
void expect('ann@example.com').toHaveBeenSent({ correlator })
// @ts-expect-error: there is no such matcher
void expect(info).toHaveBeenEaten({ correlator })
