import { recipientVariables } from './simulated-event.js'

/** The first thing in the fields of a message that the real API would refuse. */
export function findFault(form: FormData): string | undefined {
  return (
    addressFault(form, ['from', 'to'], ['from', ...recipientFields]) ??
    contentFault(form) ??
    optionsFault(form)
  )
}

/** The same of a document: everything else about it is in it. */
export function documentFault(form: FormData): string | undefined {
  const fault = addressFault(form, ['to'], ['to'])
  if (fault !== undefined) return fault
  const document = form.get('message')
  if (document === null) return 'message parameter is missing'
  return document instanceof File ? optionsFault(form) : "'message' parameter is not a file"
}

function addressFault(form: FormData, needed: string[], read: string[]): string | undefined {
  for (const name of needed) {
    if (mailboxes(form, name).length === 0) return `${name} parameter is missing`
  }
  for (const name of read) {
    const addresses = mailboxes(form, name).map(addressOf)
    if (!addresses.every((address) => /^[^@\s]+@[^@\s]+$/.test(address))) {
      return `${name} parameter is not a valid address. please check documentation`
    }
  }
  const recipients = read.filter((name) => recipientFields.includes(name))
  return recipients.flatMap((name) => mailboxes(form, name)).length > 1000
    ? 'Too many recipients, max is 1000'
    : undefined
}

function contentFault(form: FormData): string | undefined {
  if (!form.has('subject') && !form.has('template')) return 'subject parameter is missing'
  if (form.has('html') && form.has('template')) {
    return "Only one parameters 'html' or 'template' is allowed"
  }
  return ['text', 'html', 'amp-html', 'template'].some((name) => form.has(name))
    ? undefined
    : "Need at least one of 'text', 'html', 'amp-html' or 'template' parameters specified"
}

function optionsFault(form: FormData): string | undefined {
  const options = [...form].filter(([name]) => /^[ohvt]:/.test(name))
  const [foreign] = options.find(([name]) => /^h:.*[^!-~]/.test(name)) ?? []
  if (foreign !== undefined) return `Header name must be pure ASCII: ${foreign.slice(2)}`
  if (!form.getAll('o:deliverytime').map(String).every(isDeliveryTime)) {
    return 'invalid delivery time format'
  }
  if (form.has('recipient-variables') && recipientVariables(form) === undefined) {
    return "'recipient-variables' parameter is not a valid JSON"
  }
  const size = options.reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(String(value)),
    0,
  )
  return size > 16 * 1024
    ? 'Send options (parameters starting with o:, h:, or v:) are limited to 16KB total'
    : undefined
}

/** A date of RFC 2822, in a zone that is a number or UTC; or seconds since 1970. */
function isDeliveryTime(value: string): boolean {
  const [, time] = /^(?:[A-Z][a-z]{2}, )?(.+) (?:[+-]\d{4}|GMT|UTC)$/.exec(value) ?? []
  const date = /^\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d(?::\d\d)?$/
  return (
    /^\d+$/.test(value) ||
    (time !== undefined && date.test(time) && !Number.isNaN(Date.parse(value)))
  )
}

export const recipientFields = ['to', 'cc', 'bcc']

/** The mailboxes of a field, which may be repeated and may be lists. */
export function mailboxes(form: FormData, name: string): string[] {
  return form.getAll(name).flatMap((value) => splitMailboxes(String(value)))
}

/** Parts a list at its commas, but for those within quotes. */
function splitMailboxes(value: string): string[] {
  return value.match(/(?:"(?:\\.|[^"\\])*"|[^,"])+/g) ?? []
}

export function addressOf(mailbox: string): string {
  return (/<([^<>]*)>\s*$/.exec(mailbox)?.[1] ?? mailbox).trim()
}
