import type { Draft } from './draft.js'
import type { MailSource } from './mail-source.js'
import { changesDocument } from './nodemailer-mail.js'
import { fields } from './payload.js'
import type { ProviderClient } from './provider-client.js'
import { beyondMime, uncarriedFields } from './unsupported-fields.js'

/** The way that a message goes to a provider. */
export interface SendRoute<Request> {
  /** Given when it goes as a document. */
  mime: ProviderClient<Request>['mime']
  /** Why. */
  reasons: string[]
  /** What it goes without on this way. */
  lost: string[]
}

/** As fields where they say all of it, and as a document where that says more. */
export function routeOf<Request>(
  provider: string,
  { carries, beyondFields, mime }: ProviderClient<Request>,
  { mail }: MailSource,
  { head, options }: Draft,
): SendRoute<Request> {
  const uncarried = [
    ...uncarriedFields(fields(mail.data), head, provider, carries),
    ...(changesDocument(mail) ? ['what a plugin of the step stream changes'] : []),
    // What goes to each recipient alone goes as fields, and buildRequest tells what those lose of it.
    ...(options.recipientData ? [] : (beyondFields?.(head, mail.message) ?? [])),
  ]
  // A header stands among them as the caller wrote it.
  const beyond = (name: string): boolean =>
    beyondMime.has(name) || mime?.lacks?.has(name.toLowerCase()) === true
  const reasons = uncarried.filter((name) => !beyond(name))
  if (!mime || reasons.length === 0) return { mime: undefined, reasons: [], lost: uncarried }
  return { mime, reasons, lost: uncarried.filter(beyond) }
}
