import type { SimulatedMessage } from '../../simulator.js'

/** The fields of a reply to a message, as a route forwards it. */
export function inboundFields(
  { subject, messageId }: SimulatedMessage,
  from: string,
  now: Date,
): Record<string, string> {
  const recipient = 'reply@in.example.com'
  const headers = {
    From: from,
    To: recipient,
    Subject: `Re: ${subject}`,
    Date: now.toUTCString().replace('GMT', '+0000'),
    'Message-Id': `<reply-${messageId}>`,
    'In-Reply-To': `<${messageId}>`,
  }
  return {
    recipient,
    sender: from,
    from,
    subject: `Re: ${subject}`,
    'body-plain': 'Thanks',
    'stripped-text': 'Thanks',
    'stripped-signature': '',
    ...headers,
    'message-headers': JSON.stringify(Object.entries(headers)),
  }
}
