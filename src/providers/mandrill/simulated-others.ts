import type { Fields } from '../../payload.js'
import type { SimulatedMessage } from '../../simulator.js'
import { wireTime } from './send-at.js'

/** An address that is on the list of those that are not mailed. */
export function suppressionEntry(email: string, now: Date): Fields {
  const at = wireTime(now)
  return {
    type: 'blacklist',
    action: 'add',
    reject: {
      reason: 'hard-bounce',
      detail: 'smtp;550 5.1.1 user unknown',
      last_event_at: at,
      email,
      created_at: at,
      expires_at: wireTime(new Date(now.getTime() + 7 * 24 * 3_600_000)),
      expired: false,
      subaccount: null,
      sender: null,
    },
    ts: Math.floor(now.getTime() / 1000),
  }
}

/** A reply to a message. */
export function inboundEntry(
  { subject, messageId }: SimulatedMessage,
  from: string,
  now: Date,
): Fields {
  const to = 'reply@in.example.com'
  const headers = {
    From: from,
    To: to,
    Subject: `Re: ${subject}`,
    Date: now.toUTCString().replace('GMT', '+0000'),
    'Message-Id': `<reply-${messageId}>`,
    'In-Reply-To': `<${messageId}>`,
    'Mime-Version': '1.0',
    'Content-Type': 'text/plain; charset=utf-8',
  }
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\n`)
  return {
    event: 'inbound',
    ts: Math.floor(now.getTime() / 1000),
    msg: {
      raw_msg: `${head.join('')}\nThanks\n`,
      headers,
      text: 'Thanks\n',
      from_email: from,
      to: [[to, null]],
      email: to,
      subject: `Re: ${subject}`,
      tags: [],
      sender: null,
      template: null,
      spam_report: { score: 0.1, matched_rules: [] },
      dkim: { signed: true, valid: true },
      spf: { result: 'pass', detail: 'sender SPF authorized' },
    },
  }
}
