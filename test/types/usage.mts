// Compiled against the built package, and never run: types.test.ts says how.
import { EventEmitter } from 'node:events'
import { createServer } from 'node:http'
import * as openTelemetryApi from '@opentelemetry/api'
import nodemailer, { createTransport, type Transporter } from 'nodemailer'
import * as namespace from 'nodemailer'
import { pino } from 'pino'
import promClient from 'prom-client'
import { createLogger } from 'winston'
import {
  basicAuth,
  type Correlator,
  type CorrelatorEvents,
  createCorrelator,
  type EventOf,
  type Guard,
  guardWebhook,
  keepFailed,
  type MailEvent,
  logTo,
  memoryStore,
  type Observer,
  type ProviderTransporter,
  querySecret,
  SendError,
  type SentMessage,
  type TransportEvents,
  userAgent,
  type WebhookError,
} from 'mailtrail'
import { byGuards, dashboard } from 'mailtrail/dashboard'
import { fastifyPlugin } from 'mailtrail/fastify'
import { koaMiddleware } from 'mailtrail/koa'
import { lambdaHandler } from 'mailtrail/lambda'
import { type MailgunInfo, mailgunTransport, mailgunWebhook } from 'mailtrail/mailgun'
import { mandrillTransport, mandrillWebhook } from 'mailtrail/mandrill'
import { openTelemetry } from 'mailtrail/opentelemetry'
import { prometheus } from 'mailtrail/prometheus'
import { sendgridSimulator, sendgridTransport, sendgridWebhook } from 'mailtrail/sendgrid'
import { sqliteStore } from 'mailtrail/sqlite'
import { signedRequests, simulatedMessage } from 'mailtrail/testing'

/** Fails to compile unless both types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function same<A, B>(_: Same<A, B>): void {}

const correlator: Correlator = createCorrelator({
  store: sqliteStore('mailtrail.db'),
  webhooks: [
    sendgridWebhook({ publicKey: ['a', 'b'] }),
    mailgunWebhook({ signingKey: async () => ['a'], name: 'mailgun-eu' }),
    mandrillWebhook({ key: 'a', url: 'https://example.com/webhooks/mandrill' }),
  ],
})

// Every way to import Nodemailer gives a typed transporter, without a cast.
const transporter = nodemailer.createTransport(sendgridTransport({ apiKey: 'a', correlator }))
const named = createTransport(mailgunTransport({ domain: 'mg.example.com' }), { from: 'a@b.c' })
const spaced = namespace.createTransport(mandrillTransport())

transporter.on('sent', (message, failFlag) => {
  same<typeof message, SentMessage>(true)
  same<typeof failFlag, boolean>(true)
})
named
  .once('emailSent', async (message) => void message.trackingId.length)
  .prependListener('sent', (_message, failFlag) => void (failFlag === true))
spaced.on('anything else', (whatever) => void whatever)

// @ts-expect-error a listener of a known event is checked
transporter.on('sent', (message: string) => void message)
// @ts-expect-error failFlag is a boolean
transporter.on('emailSent', (_message, failFlag: string) => void failFlag)

const info = await transporter.sendMail({
  to: 'a@b.c',
  subject: 'x',
  tags: ['welcome'],
  metadata: { order: '42' },
})
same<typeof info.provider, 'sendgrid'>(true)
same<typeof info.trackingId, string>(true)
same<typeof info.accepted, string[]>(true)
void info.recipients[0]?.providerMessageId?.length
named.sendMail({ to: 'a@b.c' }, (error, result) => {
  if (error instanceof SendError) void (error.outcome === 'unknown' && error.retryAfter)
  same<typeof result, MailgunInfo>(true)
})
// @ts-expect-error tags are a list of strings
void transporter.sendMail({ tags: 'welcome' })
// @ts-expect-error metadata holds strings
void transporter.sendMail({ metadata: { order: 42 } })

// They still are what Nodemailer says they are.
const asTransporter: Transporter<MailgunInfo> = named
const asEmitter: EventEmitter = transporter
const kept: ProviderTransporter<MailgunInfo> = named
void [asTransporter, asEmitter, kept]

// Which provider it is may be decided when it runs.
const chosen = nodemailer.createTransport(
  process.env['PROVIDER'] === 'mailgun' ? mailgunTransport() : sendgridTransport(),
)
const chosenInfo = await chosen.sendMail({ to: 'a@b.c', tags: ['welcome'] })
same<typeof chosenInfo.trackingId, string>(true)
chosen.on('sent', (message) => void message.provider)
// @ts-expect-error tags are a list of strings there too
void chosen.sendMail({ tags: 'welcome' })

// The transport itself is an emitter of its own events.
const transport = sendgridTransport()
transport.on('emailSent', (message, failFlag) => {
  same<typeof message, SentMessage>(true)
  same<typeof failFlag, boolean>(true)
})
const emitter: EventEmitter<TransportEvents> = transport
void emitter

// Other transports keep their types.
const smtp = nodemailer.createTransport({ host: 'localhost' })
void smtp.sendMail({ to: 'a@b.c' })

correlator.on('bounced', (event, message) => {
  same<typeof event.bounce.kind, 'hard' | 'soft' | 'block' | 'unknown'>(true)
  same<typeof message, SentMessage | undefined>(true)
  // @ts-expect-error only clicks have a link
  void event.url
})
const off = correlator.on(['clicked', 'opened'], (event) => {
  void (event.type === 'clicked' ? event.url : event.machine)
})
off()
correlator.onAny((event) => void describe(event))
correlator.on('refused', (refusal) => {
  same<typeof refusal, WebhookError>(true)
  void refusal.reason
})
// @ts-expect-error a refusal is no event
correlator.on('refused', (refusal: EventOf<'bounced'>) => void refusal)
// @ts-expect-error nor is it told together with events
correlator.on(['refused', 'bounced'], () => {})
const told: CorrelatorEvents['refused'][0]['webhook'] = 'sendgrid'
void [told, correlator.health().webhooks[0]?.requests.stored]
const guards: Guard[] = [querySecret('s'), basicAuth('user', async () => ['p']), userAgent(/^x/)]
const { handler: guarded } = guardWebhook(
  sendgridWebhook({ publicKey: 'k', guards, answers: { forged: 404 } }),
  (request, events) => void [request.body.length, events.length],
)
void guarded
// @ts-expect-error no answer has that name
void sendgridWebhook({ publicKey: 'k', answers: { badSignature: 404 } })
correlator.onError((error) => void (error.code === 'EWEBHOOK' && error.reason))
// @ts-expect-error there is no such event
correlator.on('exploded', () => {})
// @ts-expect-error a listener gets its own type of event
correlator.on('delivered', (event: EventOf<'bounced'>) => void event)
// @ts-expect-error a slip of the pen is no id
void info.trackingID
const delivered = await correlator.waitFor(info.trackingId, 'delivered', { timeout: 60_000 })
same<typeof delivered.type, 'delivered'>(true)
const spread: CorrelatorEvents['opened'] = [await correlator.waitFor('x', 'opened'), undefined]
void spread

// What stands under a provider's name is typed by its entry.
void transporter.sendMail({
  to: 'a@b.c',
  templateId: 'd-1',
  sendAt: new Date(),
  sendgrid: { asm: { group_id: 1 } },
  mailgun: { 'o:require-tls': true, 'h:X-Shop': '7' },
  mandrill: { message: { important: true } },
})
// @ts-expect-error a group is a number
void transporter.sendMail({ to: 'a@b.c', sendgrid: { asm: { group_id: 'one' } } })

// A switch over the type is exhaustive, and each provider's payload has its type.
function describe(event: MailEvent): string {
  if (event.provider === 'sendgrid') void event.raw.sg_message_id
  if (event.provider === 'mailgun') void event.raw['delivery-status']?.code
  if (event.provider === 'mandrill') void event.raw.msg
  switch (event.type) {
    case 'accepted':
    case 'complained':
      return event.id
    case 'deferred':
    case 'delivered':
      return `${event.smtpCode} ${event.attempt}`
    case 'bounced':
      return event.bounce.enhancedCode ?? ''
    case 'rejected':
      return event.reason
    case 'failed':
      return event.detail ?? ''
    case 'opened':
      return event.userAgent ?? ''
    case 'clicked':
      return event.url
    case 'unsubscribed':
    case 'subscribed':
      return event.scope.kind
    case 'suppression':
      return event.address
    case 'inbound':
      // What a provider tells of mail alone is typed there, and its other fields are as everywhere.
      if (event.provider === 'sendgrid') void event.raw.sender_ip?.length
      if (event.provider === 'mailgun') void event.raw.recipient?.length
      if (event.provider === 'mandrill') void event.raw.msg
      return event.mail.attachments[0]?.filename ?? event.mail.text ?? ''
    case 'unknown':
      return event.error ?? ''
  }
}

void [fastifyPlugin(correlator), koaMiddleware(correlator), lambdaHandler(correlator)]
createServer(correlator.nodeHandler)
const handler: (request: Request) => Promise<Response> = correlator.handler
void [handler, memoryStore()]

// What a simulated provider posts is what fetch takes.
const simulator = sendgridSimulator({ apiKey: 'SG.test' })
const events = [{ type: 'bounced', recipient: 'a@b.c' }] as const
for (const request of signedRequests(simulator, simulatedMessage(), events)) {
  await correlator.handler(new Request('http://localhost/sendgrid', { method: 'POST', ...request }))
}

// Each is taken as its package makes it.
const metrics = prometheus(promClient, { registry: new promClient.Registry() })
createServer(metrics.nodeHandler)
const own: Observer = { notice: (fact) => void (fact.kind === 'dead-letter' && fact.eventId) }
for (const logger of [pino(), pino().child({}), createLogger(), console]) {
  createCorrelator({
    store: memoryStore(),
    observers: [openTelemetry(openTelemetryApi), metrics, own],
    logger,
  })
}
sendgridTransport({ observers: [logTo(console), metrics] })

// What is kept of every transporter can be given, whoever is asked.
const failed = [keepFailed(transporter), keepFailed(named)]
const board = dashboard({ correlator, authorize: byGuards(basicAuth('team', 'p')), failed })
createServer(board.nodeHandler)
dashboard({ correlator, authorize: async ({ header }) => ({ user: header('x-user') ?? '' }) })
// @ts-expect-error A guard's silence lets through, and must not be taken for yes.
dashboard({ correlator, authorize: basicAuth('team', 'p').check })
