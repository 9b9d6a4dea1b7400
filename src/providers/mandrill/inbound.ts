import type { InboundHead, InboundMail, MailHeader, ParsedEvent } from '../../event.js'
import { eventOrUnknown, inboundEvent, type InboundOptions } from '../../inbound-mail.js'
import { contentDigest } from '../../matching.js'
import type { Address } from '../../message.js'
import { type Fields, fields, flag, isFields, text, texts, time } from '../../payload.js'
import { readContents, type SourceBudget } from './inbound-contents.js'
import { withoutContents } from './inbound-raw.js'

/** A mail that is still to be read. It rejects for failures of our own, so that the mail comes again. */
export type UnreadMail = (options: InboundOptions, budget: SourceBudget) => Promise<ParsedEvent>

/** An entry that brings an inbound mail; an event where it brings none. */
export function readInbound(raw: Fields): UnreadMail | ParsedEvent {
  const message = raw['msg']
  if (isFields(message)) {
    return (...how) =>
      eventOrUnknown(
        () => readMail(raw, message, ...how),
        () => ({ ...unread(raw), discriminator: contentDigest(raw) }),
      )
  }
  return { type: 'unknown', error: 'it holds no mail', tags: [], metadata: {}, ...unread(raw) }
}

function unread(raw: Fields): Pick<ParsedEvent, 'providerEvent' | 'raw' | 'occurredAt'> {
  const occurredAt = time(raw['ts'])
  return {
    providerEvent: text(raw['event']) ?? '',
    raw: withoutContents(raw),
    ...(occurredAt && { occurredAt }),
  }
}

async function readMail(
  raw: Fields,
  message: Fields,
  options: InboundOptions,
  budget: SourceBudget,
): Promise<ParsedEvent> {
  const contents = await readContents(message, budget)
  const recipient = bareAddress(message['email'])
  const sender = bareAddress(message['from_email']) ?? ''
  return inboundEvent(
    {
      ...contents,
      envelope: {
        // Mandrill does not tell it. The receiving server writes it on top of the mail (RFC 5321,
        // 4.4); where that is missing, a mail mostly comes from who it says it is from.
        from: returnPath(contents.headers) ?? sender,
        to: recipient === undefined ? [] : [recipient],
      },
      head: headOf(message),
      ...spamOf(fields(message['spam_report'])),
      dkim: dkimOf(fields(message['dkim'])),
      spf: text(fields(message['spf'])['result']),
    },
    {
      providerEvent: text(raw['event']) ?? '',
      occurredAt: time(raw['ts']),
      providerMessageId: bouncedMessageId(recipient),
      tags: texts(message['tags']),
      raw: withoutContents(raw),
    },
    options,
  )
}

/** What Mandrill has read from the headers, for mails whose headers are not there. */
function headOf(message: Fields): Partial<InboundHead> {
  const [from] = mailboxes([[message['from_email'], message['from_name']]])
  const subject = text(message['subject'])
  return {
    ...(from && { from }),
    to: mailboxes(message['to']),
    cc: mailboxes(message['cc']),
    ...(subject !== undefined && { subject }),
  }
}

const mostAddresses = 1000
const longestAddress = 320

/** Of a list of addresses with their names: `[[email, name or null], …]`. */
function mailboxes(pairs: unknown): Address[] {
  if (!Array.isArray(pairs)) return []
  return pairs.slice(0, mostAddresses).flatMap((pair: unknown) => {
    const [email, name]: unknown[] = Array.isArray(pair) ? pair : [pair]
    const address = bareAddress(email)
    if (address === undefined) return []
    return { name: text(name)?.slice(0, longestAddress).trim() ?? '', address }
  })
}

function bareAddress(value: unknown): string | undefined {
  // Old payloads left the comma of a list at an address.
  return text(
    text(value)
      ?.slice(0, longestAddress)
      .trim()
      .replace(/[\s,]+$/, ''),
  )
}

/** The address in the first `Return-Path`, which is empty in bounces; undefined without such a header. */
function returnPath(headers: readonly MailHeader[]): string | undefined {
  const header = headers.find(({ name }) => name.toLowerCase() === 'return-path')
  const value = header?.value.slice(0, longestAddress).trim()
  return value === undefined ? undefined : (/^<([^<>]*)>/.exec(value)?.[1]?.trim() ?? value)
}

/** The id of the message that a bounce is about, in the address that Mandrill had it sent to. */
function bouncedMessageId(address: string | undefined): string | undefined {
  return /^bounce-md_[^@]*\.v1-([\da-f]{32})@/i.exec(address ?? '')?.[1]?.toLowerCase()
}

const mostRules = 100
const longestRule = 500

function spamOf(report: Fields): { spam?: InboundMail['spam'] } {
  const score = Number(text(report['score']) ?? NaN)
  const rules: unknown[] = Array.isArray(report['matched_rules']) ? report['matched_rules'] : []
  const lines = rules.slice(0, mostRules).flatMap(ruleLine)
  const spam = {
    ...(Number.isFinite(score) && { score }),
    ...(lines.length > 0 && { report: lines.join('\n') }),
  }
  return Object.keys(spam).length > 0 ? { spam } : {}
}

/** Rules without a name are common, and say nothing. */
function ruleLine(rule: unknown): string[] {
  const { name, score, description } = fields(rule)
  const words = [name, description].flatMap((value) => text(value)?.trim() ?? [])
  if (words.length === 0) return []
  return [[text(score) ?? '', ...words].join(' ').trim().slice(0, longestRule)]
}

function dkimOf({ signed, valid }: Fields): string | undefined {
  const isSigned = flag(signed)
  if (isSigned === undefined) return undefined
  if (!isSigned) return 'none'
  return flag(valid) ? 'pass' : 'fail'
}
