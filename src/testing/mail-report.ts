import type { MailEvent } from '../event.js'
import type { Questions } from '../questions.js'
import type { TrackedMessage } from '../tracked-message.js'

/** What came of these messages and when, in lines; of no message, which ones there are. */
export async function timelineOf(
  messages: readonly TrackedMessage[],
  correlator: Pick<Questions, 'find'>,
): Promise<string> {
  if (messages.length > 0) return messages.map(reportOf).join('\n\n')
  const { messages: others } = await correlator.find({}, { limit: 20 })
  if (others.length === 0) return 'no mail was recorded'
  const lines = others.map(
    ({ subject = '', recipients, status }) =>
      `  ${JSON.stringify(subject)} to ${recipients.map(({ address }) => address).join(', ')}: ${status}`,
  )
  return ['there is no such mail; recorded were, the last first:', ...lines].join('\n')
}

function reportOf({ subject = '', sentAt, recipients, events, error }: TrackedMessage): string {
  const sent = error ? `not sent: ${error.message}` : 'sent'
  return [
    `${JSON.stringify(subject)}`,
    ...recipients.map(({ address, status }) => `  ${address}: ${status}`),
    `  ${timeOf(sentAt)}  ${sent}`,
    ...events.map((event) => `  ${timeOf(event.occurredAt)}  ${eventLine(event)}`),
    ...(events.length === 0 ? ['  no event came'] : []),
  ].join('\n')
}

const timeOf = (time: Date): string => time.toISOString().slice(11, 23)

function eventLine(event: MailEvent): string {
  const detail = detailOf(event)
  return [event.type.padEnd(12), event.recipient ?? '', detail].join('  ').trimEnd()
}

function detailOf(event: MailEvent): string {
  switch (event.type) {
    case 'bounced':
      return `${event.bounce.kind}: ${event.response ?? ''}`
    case 'rejected':
      return `${event.reason}: ${event.detail ?? ''}`
    case 'failed':
      return event.detail ?? ''
    case 'deferred':
    case 'delivered':
      return event.response ?? ''
    case 'clicked':
      return event.url
    case 'unknown':
      return event.error ?? event.providerEvent
    case 'accepted':
    case 'opened':
    case 'complained':
    case 'unsubscribed':
    case 'subscribed':
    case 'suppression':
    case 'inbound':
      return ''
  }
}
