import { ownIdKey } from '../../matching.js'
import type { Fields } from '../../payload.js'
import type { PortableOptions } from '../../provider-client.js'
import { checkOptionsBytes, checkSendAt, checkTags, limits } from './limits.js'
import type { Form } from './own-fields.js'
import { filledFor, type RecipientVariables } from './recipient-variables.js'

/** What Mailgun is to do with a message, the same whether it goes as fields or as a document. */
export function optionFields(
  mail: PortableOptions,
  trackingId: string,
  now: number,
  lost: string[],
): Fields {
  return {
    ...templateFields(mail, lost),
    'o:tag': mail.tags,
    ...deliveryFields(mail, now),
    ...prefixed('v:', { ...mail.metadata, [ownIdKey]: trackingId }),
  }
}

/** The template that fills the message, whichever way it was named. */
export function templateOf({ templateId, own }: PortableOptions): unknown {
  return 'template' in own ? own['template'] : templateId
}

function templateFields(mail: PortableOptions, lost: string[]): Fields {
  const { templateId, templateData } = mail
  const templated = templateOf(mail) !== undefined
  const filled = Object.keys(templateData).length > 0
  if (filled && !templated) lost.push('templateData without templateId')
  return {
    ...(templateId !== undefined && { template: templateId }),
    ...(filled && templated && { 't:variables': templateData }),
  }
}

function deliveryFields({ sendAt, trackOpens, trackClicks }: PortableOptions, now: number): Fields {
  if (sendAt) checkSendAt(sendAt, now)
  return {
    ...(sendAt && { 'o:deliverytime': sendAt.toUTCString().replace('GMT', '+0000') }),
    ...(trackOpens !== undefined && { 'o:tracking-opens': trackOpens }),
    ...(trackClicks !== undefined && { 'o:tracking-clicks': trackClicks }),
  }
}

export function prefixed(prefix: string, values: Record<string, string>): Fields {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [prefix + name, value]))
}

/** @throws SendError for options that Mailgun would refuse */
export function checkOptions(
  form: Form,
  lost: string[],
  recipientVariables?: RecipientVariables,
): void {
  checkTags(form['o:tag'] ?? [])
  let size = 0
  const metadata: [string, string][] = []
  for (const [name, values] of Object.entries(form)) {
    if (!/^[ohtv]:/i.test(name)) continue
    for (const value of values) size += Buffer.byteLength(name) + Buffer.byteLength(value)
    if (name.startsWith('v:')) metadata.push([name.slice(2), values[0] ?? ''])
  }
  checkOptionsBytes(size)
  const variables = Object.fromEntries(metadata)
  checkVariables(variables, lost)
  // Mailgun takes more, but its events then say that there is too much, in place of all of it.
  const told = recipientVariables
    ? Object.values(recipientVariables).map((own) => filledFor(variables, own))
    : [variables]
  if (told.some((values) => Buffer.byteLength(JSON.stringify(values)) > limits.variablesBytes)) {
    lost.push(`metadata of over ${limits.variablesBytes} bytes as JSON, with our id, in its events`)
  }
}

/** A form ends every line of a text with CRLF, and has escapes for a few characters of a name. */
function checkVariables(variables: Record<string, string>, lost: string[]): void {
  for (const [name, value] of Object.entries(variables)) {
    if (/["\r\n]|%(?:22|0[ad])/i.test(name)) {
      lost.push(`metadata by the name ${JSON.stringify(name)}`)
    }
    if (/\r(?!\n)|(?<!\r)\n/.test(value)) {
      lost.push(`metadata.${name} with line breaks other than CRLF`)
    }
  }
}
