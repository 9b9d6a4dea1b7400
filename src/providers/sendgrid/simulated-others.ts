import type { Fields } from '../../payload.js'
import type { SignedRequest, SimulatedMessage } from '../../simulator.js'

/** The entry of a recipient who is in a group of mails again, and one whose name is new. */
export function otherEntries(entry: Fields): { subscribed: Fields; unknown: Fields } {
  return {
    subscribed: { ...entry, asm_group_id: 12345, event: 'group_resubscribe' },
    unknown: { ...entry, event: 'teleport' },
  }
}

const boundary = 'xYzZY'

/** A reply to a message, as Inbound Parse posts it. */
export function inboundForm(
  { subject, messageId }: SimulatedMessage,
  from: string,
  now: Date,
): { type: string; body: SignedRequest['body'] } {
  const to = 'reply@in.example.com'
  const parts = {
    headers: [
      `From: ${from}`,
      `To: ${to}`,
      `Subject: Re: ${subject}`,
      `Date: ${now.toUTCString().replace('GMT', '+0000')}`,
      `Message-ID: <reply-${messageId}>`,
      `In-Reply-To: <${messageId}>`,
      '',
    ].join('\n'),
    from,
    to,
    subject: `Re: ${subject}`,
    text: 'Thanks',
    envelope: JSON.stringify({ to: [to], from }),
    charsets: JSON.stringify({ to: 'UTF-8', from: 'UTF-8', subject: 'UTF-8', text: 'UTF-8' }),
    SPF: 'pass',
  }
  const written = Object.entries(parts).map(
    ([name, value]) =>
      `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  )
  return {
    type: `multipart/form-data; boundary=${boundary}`,
    body: Buffer.from(`${written.join('')}--${boundary}--\r\n`),
  }
}
