import type { ParsedEvent } from '../../event.js'
import { type Fields, isFields, parseJson, readEach, text, texts } from '../../payload.js'
import { readEvent } from './event-data.js'
import { headerPairs, type PostedFields, rawFields } from './posted-form.js'

/**
 * The event of a form, as webhooks were posted before 2018: it is put into the words of today, and
 * read like any other. Its files are not kept: they are a copy of our own mail, the one that came back or
 * was complained of.
 *
 * @param timestamp the one that is signed, which is the time of the event too
 */
export function readLegacyEvents(posted: PostedFields, timestamp: string): ParsedEvent[] {
  const raw = rawFields(posted, () => false, rawBounds)
  return readEach([raw], () => readLegacyEvent(posted, timestamp, raw))
}

const rawBounds = { value: 100_000, whole: 1_000_000 }

function readLegacyEvent(posted: PostedFields, timestamp: string, raw: Fields): ParsedEvent {
  const name = text(first(posted, 'event')) ?? ''
  const known = fieldsByEvent.get(name) ?? everyField
  // Under any other name stands a variable, whatever that name means in another event.
  const given = (field: string): string | undefined =>
    known.has(field) ? first(posted, field) : undefined
  const headers = headerPairs(given('message-headers')) ?? []
  return {
    ...readEvent({
      event: name,
      timestamp,
      recipient: given('recipient'),
      message: { headers: { 'message-id': messageId(posted, given, headers) } },
      ip: given('ip'),
      url: given('url'),
      'client-info': { 'user-agent': given('user-agent') },
      'mailing-list': { address: given('mailing-list') },
      tags: tags(posted, headers),
      'user-variables': variablesInHeaders(headers) ?? variablesInFields(posted, known),
      ...(translations.get(name) ?? untranslated)(given),
    }),
    // No event has an id. Its token would be none: it may be another one at another URL.
    providerEvent: name,
    raw,
  }
}

/** Of several values of a field the first is Mailgun's and a variable's comes after it. */
function first(posted: PostedFields, field: string): string | undefined {
  return posted.get(field)?.[0]
}

type Given = (field: string) => string | undefined

const untranslated = (): Fields => ({})

const translations = new Map<string, (given: Given) => Fields>([
  [
    'bounced',
    (given) => ({
      event: 'failed',
      severity: 'permanent',
      reason: 'bounce',
      'delivery-status': {
        code: given('code'),
        message: given('error'),
        description: given('notification'),
      },
    }),
  ],
  [
    'dropped',
    (given) => {
      const code = given('code')
      const reason = given('reason')
      const description = given('description')
      // Without a word of why, it is not known whether delivery was ever tried.
      return text(code) === undefined && text(reason) === undefined
        ? { event: 'rejected', reject: { reason: description } }
        : {
            event: 'failed',
            severity: 'permanent',
            reason,
            'delivery-status': { code, message: description },
          }
    },
  ],
])

// What each event has, by Mailgun's manual of then; body-plain, h and message-id by captures of it.
const common = ['event', 'recipient', 'domain', 'timestamp', 'token', 'signature', 'body-plain']
const ofMessage = [
  'message-headers',
  'Message-Id',
  'message-id',
  'X-Mailgun-Sid',
  'X-Mailgun-Tag',
  'tag',
]
const ofCampaign = ['campaign-id', 'campaign-name', 'tag', 'mailing-list']
const visit = [
  ...common,
  ...ofCampaign,
  'message-id',
  'h',
  'ip',
  'country',
  'region',
  'city',
  'user-agent',
  'device-type',
  'client-type',
  'client-name',
  'client-os',
]
const fieldsByEvent = new Map<string, ReadonlySet<string>>(
  Object.entries({
    delivered: [...common, ...ofMessage],
    dropped: [...common, ...ofMessage, 'reason', 'code', 'description', 'attachment-count'],
    bounced: [
      ...common,
      ...ofMessage,
      ...ofCampaign,
      'code',
      'error',
      'notification',
      'attachment-count',
    ],
    complained: [...common, ...ofMessage, ...ofCampaign, 'attachment-count'],
    opened: visit,
    clicked: [...visit, 'url'],
    unsubscribed: visit,
  }).map(([name, known]) => [name, new Set(known)]),
)
const everyField: ReadonlySet<string> = new Set(
  [...fieldsByEvent.values()].flatMap((known) => [...known]),
)

type Headers = readonly (readonly [name: string, value: unknown])[]

/** The values of a header; of a list that is the first entry, for the others are its parameters. */
function headerValues(headers: Headers, wanted: string): unknown[] {
  return headers.flatMap(([name, value]): unknown[] => {
    if (name.toLowerCase() !== wanted) return []
    return Array.isArray(value) ? value.slice(0, 1) : [value]
  })
}

/** Openings and clicks have it in lower case, so that the other name may be a variable's there. */
function messageId(posted: PostedFields, given: Given, headers: Headers): string | undefined {
  const [id] = texts([
    given('Message-Id'),
    given('message-id'),
    ...headerValues(headers, 'message-id'),
    first(posted, 'Message-Id'),
  ])
  return id
}

function tags(posted: PostedFields, headers: Headers): string[] {
  const named = texts(posted.get('tag'))
  if (named.length > 0) return named
  return [
    ...new Set([
      ...texts(posted.get('X-Mailgun-Tag')),
      ...texts(headerValues(headers, 'x-mailgun-tag')),
    ]),
  ]
}

/** The variables of a message as its headers bear them, or undefined where they do not. */
function variablesInHeaders(headers: Headers): Fields | undefined {
  const found = headerValues(headers, 'x-mailgun-variables').map(parsedVariables).filter(isFields)
  return found.length > 0
    ? Object.fromEntries(found.flatMap((variables) => Object.entries(variables)))
    : undefined
}

function parsedVariables(value: unknown): unknown {
  return typeof value === 'string' ? parseJson(value) : value
}

// A variable of such a name cannot be told from Mailgun's own value, which may repeat.
const neverVariables: ReadonlySet<string> = new Set(['tag', 'X-Mailgun-Tag', 'message-headers'])

// Of these the variable's value comes first (django-anymail, by posts of live events: bb68f3d).
const variableFirst: ReadonlySet<string> = new Set(['timestamp', 'token', 'signature'])

/** What stands among the fields, or twice under the name of one, are variables of the message. */
function variablesInFields(posted: PostedFields, known: ReadonlySet<string>): Fields {
  const variables = new Map<string, string | undefined>()
  for (const [name, values] of posted) {
    if (neverVariables.has(name)) continue
    if (!known.has(name)) variables.set(name, values.at(-1))
    else if (values.length > 1) {
      variables.set(name, variableFirst.has(name) ? values[0] : values.at(-1))
    }
  }
  return Object.fromEntries(variables)
}
