import type { EventEmitter } from 'node:events'
import { isPlain } from './deep-merge.js'
import { isFields } from './payload.js'
import { copyContent } from './resolved-mail.js'

/**
 * Has Nodemailer work on copies: while it composes a message it writes into the objects that it was given,
 * sets content types, adds attachments and headers. What a caller passes to `sendMail` stays as it is, and
 * may be sent again.
 */
export function sparingCallers(transport: object): void {
  let known: EventEmitter | undefined
  Object.defineProperty(transport, 'mailer', {
    configurable: true,
    get: () => known,
    // Nodemailer's transporter makes itself known to its transport so.
    set(mailer: EventEmitter) {
      known = mailer
      const sendMail: unknown = Reflect.get(mailer, 'sendMail')
      if (typeof sendMail !== 'function') return
      Reflect.set(mailer, 'sendMail', (data: unknown, ...rest: unknown[]): unknown =>
        Reflect.apply(sendMail, mailer, [copied(data), ...rest]),
      )
    },
  })
}

function copied(data: unknown): unknown {
  if (!isFields(data)) return data
  const { headers } = data
  return {
    ...copyContent(data),
    ...(isPlain(headers) && { headers: { ...headers } }),
  }
}
