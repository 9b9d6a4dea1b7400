import { randomInt, randomUUID } from 'node:crypto'
import { type Fields, fields, isFields, parseJson, text } from 'mailtrail/provider'
import type {
  ApiAnswer,
  ApiRequest,
  ProviderSimulator,
  SimulatedEvent,
  SimulatedMessage,
} from 'mailtrail/testing'

export interface PostmarkSimulatorOptions {
  serverToken: string
  /** The password in the webhook's URL. */
  password: string
}

// Support, Understanding inbound webhook retries; of other webhooks it is documented less closely.
const minutes = [1, 5, 10, 10, 10, 15, 30, 60, 120, 360]

/** Postmark on this machine: its send call, its check of a token, and its webhooks. */
export function postmarkSimulator(options: PostmarkSimulatorOptions): ProviderSimulator {
  return {
    provider: 'postmark',
    retries: {
      waits: minutes.map((wait) => wait * 60_000),
      isTaken: (status) => status === 200 || status === 403,
    },
    answer: async (request, now) => answerCall(request, now, options.serverToken),
    entry,
    // One post for each event (Webhooks overview).
    webhooks: (entries, _now, forged = false) =>
      entries.map((body) => ({
        headers: {
          'content-type': 'application/json',
          'user-agent': 'Postmark',
          authorization: `Basic ${btoa(`postmark:${forged ? 'another' : options.password}`)}`,
        },
        body: Buffer.from(JSON.stringify(body)),
      })),
  }
}

type Answered = { answer: ApiAnswer; message?: SimulatedMessage }

function answerCall(
  { method, path, headers, body }: ApiRequest,
  now: Date,
  token: string,
): Answered {
  if (headers['x-postmark-server-token'] !== token) {
    return failure(401, 10, 'No Account or Server API tokens were supplied in the HTTP headers.')
  }
  if (method === 'GET' && path === '/server') {
    return { answer: json(200, { ID: 1, Name: 'Staging', ApiTokens: [token] }) }
  }
  if (method !== 'POST' || path !== '/email') return { answer: { ...json(404, {}), body: '' } }
  const mail = parseJson(body.toString('utf8'))
  if (!isFields(mail)) return failure(422, 402, 'Received invalid JSON input.')
  const fault = faultIn(mail)
  return fault === undefined ? accept(mail, now) : failure(422, 300, fault)
}

/** What Postmark would not take (Email API; Support, What does ErrorCode 300 mean). */
function faultIn(mail: Fields): string | undefined {
  const addresses = recipientsOf(mail)
  if (!/^[^@]+@[^@]+$/.test(addressesIn(mail['From'])[0] ?? '')) return "Invalid 'From' address."
  if (addresses.length === 0) return 'Zero recipients specified'
  if (addresses.length > 50) return 'Maximum of 50 recipients allowed per email message.'
  if (!text(mail['HtmlBody']) && !text(mail['TextBody'])) {
    return 'Provide either email TextBody or HtmlBody or both.'
  }
  const metadata = Object.entries(fields(mail['Metadata']))
  const fits = ([name, value]: [string, unknown]): boolean =>
    name.length <= 20 && typeof value === 'string' && value.length <= 80
  return metadata.length <= 10 && metadata.every(fits)
    ? undefined
    : 'Invalid metadata content. Field names are limited to 20 characters, values to 80 characters.'
}

/** Addresses that begin with `inactive` have bounced before. */
function accept(mail: Fields, now: Date): Answered {
  const active = recipientsOf(mail).filter((address) => !address.startsWith('inactive'))
  const inactive = recipientsOf(mail).filter((address) => address.startsWith('inactive'))
  const why =
    'Inactive recipients are ones that have generated a hard bounce, a spam complaint, or a manual suppression. '
  const list = inactive.join(', ').toLowerCase()
  if (active.length === 0) {
    const what = 'You tried to send to recipient(s) that have been marked as inactive.'
    return failure(422, 406, `${what} Found inactive addresses: ${list}. ${why}`)
  }
  const id = randomUUID()
  const left = `Message OK, but will not deliver to these inactive addresses: ${list}. ${why}`
  return {
    answer: json(200, {
      To: mail['To'],
      SubmittedAt: isoOf(now),
      MessageID: id,
      ErrorCode: 0,
      Message: inactive.length === 0 ? 'OK' : left,
    }),
    message: {
      id,
      recipients: active.map((address) => ({ address, id })),
      subject: text(mail['Subject']) ?? '',
      metadata: Object.fromEntries(
        Object.entries(fields(mail['Metadata'])).map(([name, value]) => [name, String(value)]),
      ),
      tags: [text(mail['Tag'])].filter((tag) => tag !== undefined),
      messageId: messageIdOf(mail, id),
      request: mail,
    },
  }
}

/** The one that was given where it is asked to be kept, and otherwise one of Postmark's. */
function messageIdOf({ Headers }: Fields, id: string): string {
  const header = (wanted: string): string | undefined =>
    (Array.isArray(Headers) ? Headers : [])
      .map(fields)
      .flatMap(({ Name, Value }) => (Name === wanted ? (text(Value) ?? []) : []))[0]
  const given = header('X-PM-KeepID') === 'true' ? header('Message-ID') : undefined
  return given?.replace(/^<|>$/g, '') ?? `${id}@mtasv.net`
}

function recipientsOf({ To, Cc, Bcc }: Fields): string[] {
  return [To, Cc, Bcc].flatMap(addressesIn)
}

/** The bare addresses of a header, whose names may hold commas in quotes. */
function addressesIn(header: unknown): string[] {
  const mailboxes = (text(header) ?? '').match(/(?:"(?:[^"\\]|\\.)*"|[^,"])+/g) ?? []
  return mailboxes.map((mailbox) => /<([^<>]*)>\s*$/.exec(mailbox)?.[1] ?? mailbox.trim())
}

const json = (status: number, body: unknown): ApiAnswer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})

const failure = (status: number, ErrorCode: number, Message: string): Answered => ({
  answer: json(status, { ErrorCode, Message }),
})

/** With seven digits of a second, as Postmark writes it. */
const isoOf = (date: Date): string => date.toISOString().replace('Z', '0000Z')

/** The body of a post (Webhooks: Delivery, Bounce, Spam complaint, Open, Click, Subscription change). */
function entry(message: SimulatedMessage, event: SimulatedEvent, now: Date): Fields {
  const at = isoOf(event.at ?? now)
  const common = {
    MessageStream: text(fields(message.request)['MessageStream']) ?? 'outbound',
    MessageID: message.id,
    ServerID: 23,
    Tag: message.tags[0] ?? '',
    Metadata: event.withoutOwnId ? {} : message.metadata,
  }
  const to = { Recipient: event.recipient }
  const bounce = (Type: string, TypeCode: number, Details: string): Fields => ({
    RecordType: 'Bounce',
    ...common,
    ...bounceOf(message, event.recipient, at),
    Type,
    TypeCode,
    Details,
  })
  const visit = {
    ReceivedAt: at,
    Platform: 'Desktop',
    UserAgent: 'Mozilla/5.0',
    Geo: { IP: '203.0.113.80' },
  }
  switch (event.type) {
    case 'delivered':
      return {
        RecordType: 'Delivery',
        ...common,
        ...to,
        DeliveredAt: at,
        Details: 'smtp;250 2.0.0 OK',
      }
    case 'deferred':
      return bounce('Transient', 2, 'smtp;451 4.7.1 Greylisted, try again later')
    case 'bounced':
      return event.bounce === 'soft'
        ? bounce('SoftBounce', 4096, 'smtp;552 5.2.2 Over quota')
        : bounce('HardBounce', 1, 'smtp;550 5.1.1 No such user')
    case 'rejected':
      return bounce('ManuallyDeactivated', 100_007, '')
    case 'complained':
      return { ...bounce('SpamComplaint', 100_001, ''), RecordType: 'SpamComplaint' }
    case 'opened':
      return { RecordType: 'Open', ...common, ...to, ...visit, FirstOpen: true }
    case 'clicked': {
      const link = { OriginalLink: event.url ?? 'https://example.com/', ClickLocation: 'HTML' }
      return { RecordType: 'Click', ...common, ...to, ...visit, ...link }
    }
    case 'unsubscribed': {
      const change = { SuppressSending: true, SuppressionReason: 'ManualSuppression' }
      const who = { ChangedAt: at, Origin: 'Recipient' }
      return { RecordType: 'SubscriptionChange', ...common, ...to, ...who, ...change }
    }
    case 'accepted':
      throw new TypeError('Postmark tells nothing of what it has accepted')
  }
}

function bounceOf(message: SimulatedMessage, Email: string, BouncedAt: string): Fields {
  return {
    ID: randomInt(1, 2 ** 40),
    Name: 'A bounce',
    Description: 'The server was unable to deliver your message.',
    Email,
    From: addressesIn(fields(message.request)['From'])[0],
    BouncedAt,
    DumpAvailable: true,
    Inactive: true,
    CanActivate: true,
    Subject: message.subject,
  }
}
