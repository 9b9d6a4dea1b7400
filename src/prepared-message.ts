import type { EventEmitter } from 'node:events'
import { v4 as uuidv4 } from 'uuid'
import { isPlain } from './deep-merge.js'
import { givenHeaderNames } from './nodemailer-mail.js'
import { type Fields, fields, isFields } from './payload.js'
import { copyContent } from './resolved-mail.js'

/**
 * Has Nodemailer work on copies: while it composes a message it writes into the objects that it was given,
 * sets content types, adds attachments and headers. What a caller passes to `sendMail` stays as it is, and
 * may be sent again.
 */
export function preparingMessages(transport: object): void {
  let known: EventEmitter | undefined
  Object.defineProperty(transport, 'mailer', {
    configurable: true,
    get: () => known,
    // Nodemailer's transporter makes itself known to its transport so.
    set(mailer: EventEmitter) {
      known = mailer
      const sendMail: unknown = Reflect.get(mailer, 'sendMail')
      if (typeof sendMail !== 'function') return
      Reflect.set(mailer, 'sendMail', (message: unknown, ...rest: unknown[]): unknown =>
        Reflect.apply(sendMail, mailer, [prepared(message), ...rest]),
      )
    },
  })
}

function prepared(message: unknown): unknown {
  if (!isFields(message)) return message
  const { headers } = message
  return {
    ...copyContent(message),
    ...(isPlain(headers) && { headers: { ...headers } }),
    ...identity(message),
  }
}

/**
 * A Message-ID of Nodemailer's form, and what boundaries are made of. It would ask the system for random
 * bytes once for each piece of these, which is up to an eighth of what a send costs.
 */
function identity({ messageId, headers, raw, from, baseBoundary }: Fields): Fields {
  const named =
    messageId || raw || givenHeaderNames(headers).some((name) => /^message-id$/i.test(name))
  const domain = named ? undefined : domainOf(from)
  return {
    ...(domain !== undefined && { messageId: `<${uuidv4()}@${domain}>` }),
    ...(!baseBoundary && { baseBoundary: uuidv4() }),
  }
}

/** Of an address that is written plainly; of others Nodemailer finds it. */
function domainOf(from: unknown): string | undefined {
  const address = typeof from === 'string' ? from : fields(from)['address']
  if (typeof address !== 'string') return undefined
  return /^[^,;]*@([a-z\d.-]+)>?$/i.exec(address)?.[1]
}
