import type { AnyEvent, EventFact } from '../event.js'

/** What happened, in plain words. */
export function inWords(event: EventFact & { recipient?: string }): string {
  const who = event.recipient ?? 'somebody'
  switch (event.type) {
    case 'accepted':
      return `the provider took it for ${who}`
    case 'deferred':
      return `${who}'s server put it off${saying(event.response)}; it is tried again`
    case 'delivered':
      return `${who}'s server took it${saying(event.response)}`
    case 'bounced':
      return `it bounced for ${who}, ${bounces[event.bounce.kind]}${saying(event.response)}`
    case 'rejected':
      return `the provider did not try to deliver to ${who}: ${event.reason}${saying(event.detail)}`
    case 'failed':
      return `it could not be sent to ${who}${saying(event.detail)}`
    case 'opened':
      return `${who} opened it${byMachine(event.machine)}`
    case 'clicked':
      return `${who} clicked ${event.url}${byMachine(event.machine)}`
    case 'complained':
      return `${who} called it spam`
    case 'unsubscribed':
      return `${who} unsubscribed${scoped(event.scope)}`
    case 'subscribed':
      return `${who} subscribed${scoped(event.scope)}`
    case 'suppression':
      return `${event.address} was ${event.action} on the provider's ${event.list} list${saying(event.reason)}`
    case 'inbound':
      return `a mail came in for ${who}${saying(event.mail.subject)}`
    case 'unknown':
      return `something that is not known happened${saying(event.error)}`
  }
}

const bounces = {
  hard: 'for good',
  soft: 'for now',
  block: 'as it was not wanted there',
  unknown: 'nobody says why',
} as const

const saying = (words: string | undefined): string => (words === undefined ? '' : ` (${words})`)

const byMachine = (machine: boolean | undefined): string =>
  machine === true ? ' (a machine did)' : ''

const scoped = ({ kind, id }: { kind: string; id?: string }): string =>
  kind === 'all' ? '' : ` (${kind} ${id ?? ''})`

/** How an event was matched to its message, in plain words. */
export function matchInWords({ correlation }: Pick<AnyEvent, 'correlation'>): string {
  switch (correlation.status) {
    case 'matched':
      return `matched by ${correlation.via ?? 'its id'}`
    case 'pending':
      return 'waits for its message'
    case 'foreign':
      return 'of no message that is recorded'
  }
}

/** `12:34:56` in local time. */
export function clockTime(time: Date): string {
  return [time.getHours(), time.getMinutes(), time.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':')
}

/** `2026-01-31 12:34:56` in local time. */
export function dayAndTime(time: Date): string {
  const day = [time.getFullYear(), time.getMonth() + 1, time.getDate()]
    .map((part) => String(part).padStart(2, '0'))
    .join('-')
  return `${day} ${clockTime(time)}`
}
