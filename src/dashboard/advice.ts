import type { SentError } from '../message.js'
import type { MailEvent } from '../event.js'

/** By the enhanced status codes of RFC 3463 and the registry that goes on from it; the class is left out. */
const codes: Readonly<Record<string, string>> = {
  '1.0': 'The address was refused. Check how it is written.',
  '1.1': 'There is no such mailbox. Ask for another address; do not try this one again.',
  '1.2': 'The domain of the address does not exist or takes no mail. Look for a mistyped domain.',
  '1.3': 'The address is not written as an address must be. Correct it.',
  '1.6': 'The mailbox has moved and left no new address. Ask for another one.',
  '1.8': "The sender's domain is refused. Check the domain you send from and its DNS records.",
  '1.10': 'The domain says that it takes no mail. Ask for another address.',
  '2.0': 'The mailbox cannot take mail now. Try later; if it stays so, ask for another address.',
  '2.1': 'The mailbox is disabled. Ask for another address.',
  '2.2': 'The mailbox is full. Try again in some days; if it stays full, nobody reads it.',
  '2.3': 'The message is larger than the mailbox takes. Send links rather than attachments.',
  '3.4': 'The message is larger than the server takes. Send links rather than attachments.',
  '4.1': 'The receiving server did not answer. The provider tries again by itself.',
  '4.4': 'Mail for the domain could not be routed. Its DNS records may be wrong; try later.',
  '4.7': 'The provider tried until its time was over. Try later, or ask for another address.',
  '5.0': 'The servers did not understand each other. Try later; if it stays so, ask the provider.',
  '6.0': 'The content was refused. Look for broken characters or headers in the message.',
  '7.0': 'The server refuses you or the message. Check your reputation and blocklists.',
  '7.1':
    'The server refuses the message by its policy: often for reputation or content. Check blocklists, and whether people asked for this mail.',
  '7.20': 'No valid DKIM signature was found. Set up DKIM for the domain you send from.',
  '7.23': 'SPF did not pass. Add the provider to the SPF record of the domain you send from.',
  '7.25': 'The sending address has no reverse DNS. That is the provider’s to correct.',
  '7.26': 'Neither SPF nor DKIM passed. Set up both, and DMARC, for the domain you send from.',
  '7.27': 'The domain you send from has no mail servers. Send from one that takes answers.',
  '7.28': 'Too much mail comes from you at once. Send more slowly.',
}

const classes: Readonly<Record<string, string>> = {
  '1': 'Something is wrong with the address. Check it.',
  '2': 'Something is wrong with the mailbox. Try later, or ask for another address.',
  '3': 'The receiving system cannot take the message. Try later.',
  '4': 'The way to the receiving server is broken. The provider tries again by itself.',
  '5': 'The servers did not understand each other. Try later.',
  '6': 'The content or format was refused. Look at how the message is made.',
  '7': 'The server refuses the message by its policy. Check reputation, SPF, DKIM and DMARC.',
}

const kinds = {
  hard: 'The address can never be reached. It is suppressed; ask for another one.',
  soft: 'It could not be delivered for now and was given up. It can be sent again later.',
  block:
    'The server refused you or the content, which says nothing of the address. Check reputation and content before you send again.',
  unknown: 'The provider does not say why. The raw payload may.',
}

const rejections = {
  invalid: 'The provider holds the address for invalid. Correct it.',
  bounced: 'It bounced before, and the provider does not try again. Ask for another address.',
  spam: 'Its owner called a mail of yours spam. Do not mail it again.',
  unsubscribed: 'Its owner asked for no more mail. Do not mail it again.',
  blocked: 'The provider refused it by its own rules. Look into its console.',
  'timed-out': 'The provider tried until its time was over. It can be sent again.',
  other: 'The provider did not try. Its words stand beside; its console may say more.',
}

const categories: Readonly<Record<string, string>> = {
  auth: 'The API key is wrong, or may not send. Check it at the provider.',
  'rate-limit': 'More was sent than the provider allows. Send more slowly, or ask for more.',
  network: 'The provider could not be reached. Send it again.',
  timeout: 'The provider did not answer in time.',
  validation:
    'Something in the message is wrong. Its words stand beside; correct it and send again.',
  rejected: 'The provider took it for no recipient. See why at each of them.',
  server: 'The provider failed. Send it again.',
  configuration: 'Something is set up wrongly here. The error says what.',
  unknown: 'It is not known why.',
}

/** What a status code means and what to do, such as for `5.1.1`; undefined where it says nothing. */
export function adviceOnCode(enhancedCode: string): string | undefined {
  const [, subject, detail] = /^[245]\.(\d{1,3})\.(\d{1,3})$/.exec(enhancedCode) ?? []
  if (subject === undefined || detail === undefined) return undefined
  return codes[`${subject}.${detail}`] ?? classes[subject]
}

/** What to do about an event, in plain words; undefined where there is nothing to be done. */
export function adviceOn(event: MailEvent): string | undefined {
  switch (event.type) {
    case 'bounced': {
      const { enhancedCode, kind } = event.bounce
      return (enhancedCode !== undefined && adviceOnCode(enhancedCode)) || kinds[kind]
    }
    case 'rejected':
      return rejections[event.reason]
    case 'deferred':
      return 'The receiving server wants it later. The provider tries again by itself.'
    case 'failed':
      return 'The provider gave it up before it was delivered. It can be sent again.'
    case 'complained':
      return 'Its owner called it spam. The address is suppressed; do not mail it again.'
    case 'unknown':
      return 'It could not be read. The raw payload is kept below.'
    case 'accepted':
    case 'delivered':
    case 'opened':
    case 'clicked':
    case 'unsubscribed':
    case 'subscribed':
    case 'suppression':
    case 'inbound':
      return undefined
  }
}

/** What to do about a message that was not sent. */
export function adviceOnError({ category, outcome }: SentError): string {
  const cause = categories[category] ?? 'It is not known why.'
  return outcome === 'unknown'
    ? `${cause} It may have been sent all the same: its first event will tell. Do not send it again before.`
    : cause
}

/** What a counted reason means, such as `bounced: hard 5.1.1`; undefined where it says all by itself. */
export function adviceOnReason(reason: string): string | undefined {
  const [, code] = /(\d\.\d{1,3}\.\d{1,3})/.exec(reason) ?? []
  if (code !== undefined) return adviceOnCode(code)
  const [what = '', word = ''] = reason.split(': ')
  const words = word.split(' ')[0] ?? ''
  const known: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    unsent: categories,
    rejected: rejections,
    bounced: kinds,
  }
  return known[what]?.[words]
}
