import { isUtf8 } from 'node:buffer'
import { headOf, withHeaders } from '../../composed-mail.js'
import { readHeaders } from '../../mail-head.js'
import { invalid } from '../../mail-options.js'
import type { Fields } from '../../payload.js'
import type { BuiltRequest, OutgoingDocument } from '../../provider-client.js'
import { checkSize, checkSubject, refuseMetadataHeader, refuseUnwritable } from './limits.js'
import { type OwnFields, readOwn } from './own-fields.js'
import { optionHeaders } from './option-headers.js'
import type { MandrillRequest } from './request.js'
import { toSendAt } from './send-at.js'

/** What Mandrill takes from no document: it writes the time when it sends. */
export const lacks: ReadonlySet<string> = new Set(['date', 'the header date'])

/** A call of `messages/send-raw`, which takes what its parameters do not say from headers. */
export function buildRawRequest(
  mail: OutgoingDocument,
  trackingId: string,
  now: number,
): BuiltRequest<MandrillRequest> {
  const { document, recipients, sendAt } = mail
  refuseUnwritable('templateData', mail.templateData)
  refuseUnwritable('mandrill', mail.own)
  if (!isUtf8(document)) {
    throw invalid('Mandrill takes a document as text, and this one is not in UTF-8')
  }
  if (recipients.length === 0) throw invalid('Mandrill needs at least one recipient')
  checkSubject(mail.subject)
  checkSize(document.length)
  const standing = readHeaders(headOf(document)).map(({ name }) => name)
  refuseMetadataHeader(standing)
  const own = readOwn(mail.own)
  const lost: string[] = []
  const headers = optionHeaders(mail, own, trackingId, standing, lost)
  return {
    lost: [...lost, ...lostOf(own)],
    request: {
      call: 'sendRaw',
      body: {
        raw_message: withHeaders(document, headers).toString(),
        to: recipients,
        ...(sendAt && { send_at: toSendAt(sendAt, now) }),
        ...parametersOf(own),
      },
      addresses: recipients,
    },
  }
}

const parameters = new Set(['async', 'ip_pool', 'send_at'])

/** Those that this call has as well. */
function parametersOf({ call, message: { return_path_domain } }: OwnFields): Fields {
  const given = Object.entries(call).filter(([name]) => parameters.has(name))
  return Object.fromEntries(
    [...given, ['return_path_domain', return_path_domain] as const].filter(isGiven),
  )
}

/** What has neither a parameter nor a header. */
function lostOf({ call, headers }: OwnFields): string[] {
  const given = Object.entries(call).filter(isGiven)
  return [
    ...given.filter(([name]) => !parameters.has(name)).map(([name]) => `mandrill.${name}`),
    ...(Object.keys(headers).length > 0 ? ['mandrill.message.headers'] : []),
  ]
}

const isGiven = ([, value]: readonly [string, unknown]): boolean =>
  value !== undefined && value !== null
