// npm run demo [-- NEW-FILE]
//
// Sends mail through the three official SDKs to simulated providers on this machine, takes their
// signed webhooks, prints what becomes of each message while it happens, and reads the end back
// from the SQLite file. It exits with 1 when anything is not as it should be.
import { existsSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { once } from 'node:events'
import nodemailer from 'nodemailer'
import { createCorrelator } from 'mailtrail'
import { mailgunSimulator, mailgunTransport, mailgunWebhook } from 'mailtrail/mailgun'
import { mandrillSimulator, mandrillTransport, mandrillWebhook } from 'mailtrail/mandrill'
import { sendgridSimulator, sendgridTransport, sendgridWebhook } from 'mailtrail/sendgrid'
import { sqliteStore } from 'mailtrail/sqlite'
import { startProvider } from 'mailtrail/testing'
import { printMessages } from './timeline.mjs'

const file = process.argv[2] ?? 'mailtrail-demo.db'
if (process.argv[2] !== undefined && existsSync(file)) {
  console.error(
    `${file} is there already: the demo starts with a new file, and deletes none of yours`,
  )
  process.exit(1)
}
const startedAt = Date.now()
/** @type {string[]} */
const faults = []

const ann = 'ann@example.com'
const bob = 'bob@example.com'
/** @param {string} provider An address that bounced is not mailed again, through whichever. */
const nobody = (provider) => `nobody@${provider}.example`
/**
 * Each message, what the provider is to do with it, and what must be known of it in the end.
 *
 * @param {string} provider
 * @returns {{
 *   subject: string
 *   to: string[]
 *   unrecorded?: boolean
 *   posts: import('mailtrail/testing').ScriptedPost[]
 *   ends: Record<string, string>
 *   events: number
 * }[]}
 */
const scenariosOf = (provider) => [
  {
    subject: 'Welcome',
    to: [ann],
    posts: [
      { events: [{ type: 'accepted', recipient: ann }] },
      { events: [{ type: 'delivered', recipient: ann }], after: 100 },
      { events: [{ type: 'opened', recipient: ann }], after: 400 },
      { events: [{ type: 'clicked', recipient: ann }], after: 600 },
    ],
    ends: { [ann]: 'delivered' },
    events: 4,
  },
  {
    subject: 'Your invoice (deferred first)',
    to: [ann],
    posts: [
      { events: [{ type: 'deferred', recipient: ann }], after: 100 },
      { events: [{ type: 'delivered', recipient: ann }], after: 500 },
      // The network delayed this one, which changes nothing.
      { events: [{ type: 'accepted', recipient: ann, at: new Date(startedAt) }], after: 600 },
    ],
    ends: { [ann]: 'delivered' },
    events: 3,
  },
  {
    subject: 'Password reset (bounces)',
    to: [nobody(provider)],
    posts: [{ events: [{ type: 'bounced', recipient: nobody(provider) }], after: 200 }],
    ends: { [nobody(provider)]: 'bounced' },
    events: 1,
  },
  {
    subject: 'Newsletter (its webhook comes twice)',
    to: [ann, bob],
    posts: [
      {
        events: [
          { type: 'delivered', recipient: ann },
          { type: 'delivered', recipient: bob },
        ],
        after: 300,
        times: 2,
      },
    ],
    ends: { [ann]: 'delivered', [bob]: 'delivered' },
    events: 2,
  },
  {
    subject: 'Receipt (somebody forges a bounce)',
    to: [bob],
    posts: [
      { events: [{ type: 'delivered', recipient: bob }], after: 200 },
      { events: [{ type: 'bounced', recipient: bob }], after: 400, forged: true },
    ],
    ends: { [bob]: 'delivered' },
    events: 1,
  },
  {
    subject: 'Reminder (its event is ahead of the API answer)',
    to: [bob],
    posts: [{ events: [{ type: 'delivered', recipient: bob }], early: true }],
    ends: { [bob]: 'delivered' },
    events: 1,
  },
  {
    subject: 'Sent by another program (recorded after its event)',
    to: [bob],
    unrecorded: true,
    posts: [{ events: [{ type: 'delivered', recipient: bob, withoutOwnId: true }] }],
    ends: { [bob]: 'delivered' },
    events: 1,
  },
]

const server = createServer()
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const address = server.address()
const port = address !== null && typeof address === 'object' ? address.port : 0
const webhooks = `http://127.0.0.1:${port}/webhooks`

// What the providers' consoles would show.
const sendgrid = sendgridSimulator({ apiKey: 'SG.demo' })
const mailgun = mailgunSimulator({ apiKey: 'key-demo', domain: 'mg.example.com' })
const mandrill = mandrillSimulator({ apiKey: 'md-demo', webhookUrl: `${webhooks}/mandrill` })

/** @param {import('mailtrail/testing').ProviderSimulator} simulator */
const start = (simulator) =>
  startProvider(simulator, {
    webhookUrl: `${webhooks}/${simulator.provider}`,
    script: ({ subject }) =>
      scenariosOf(simulator.provider).find((scenario) => scenario.subject === subject)?.posts ?? [],
  })
const providers = {
  sendgrid: await start(sendgrid),
  mailgun: await start(mailgun),
  mandrill: await start(mandrill),
}

for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true })
const correlator = createCorrelator({
  store: sqliteStore(file),
  webhooks: [
    sendgridWebhook({ publicKey: sendgrid.publicKey }),
    mailgunWebhook({ signingKey: mailgun.signingKey }),
    mandrillWebhook({ key: mandrill.webhookKey, url: `${webhooks}/mandrill` }),
  ],
})
server.on('request', correlator.nodeHandler)

/** @param {string[]} columns */
const print = (...columns) => {
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(2).padStart(5)
  const [provider = '', what = '', who = '', ...rest] = columns
  console.log(
    `${seconds}s  ${provider.padEnd(8)}  ${what.padEnd(9)}  ${who.padEnd(18)}  ${rest.join('  ')}`,
  )
}
console.log(`Three simulated providers, one handler at ${webhooks}, one file: ${file}

“sent” is told by Nodemailer's transporter, everything else by the correlator: the provider, the
event, the recipient, the message that it was matched to, and the event's id.
`)

const told = new Set()
correlator.onAny((event, message) => {
  if (told.has(event.id)) faults.push(`event ${event.id} was told twice`)
  told.add(event.id)
  print(event.provider, event.type, event.recipient ?? '', `“${message?.subject ?? '?'}”`, event.id)
})
correlator.onError((error) => print('', 'refused', '', error.message))

const apiKeys = { sendgrid: 'SG.demo', mailgun: 'key-demo', mandrill: 'md-demo' }
/** @param {{ correlator?: import('mailtrail').Correlator }} options */
const createTransporters = (options) => ({
  sendgrid: nodemailer.createTransport(
    sendgridTransport({ apiKey: apiKeys.sendgrid, baseUrl: providers.sendgrid.url, ...options }),
  ),
  mailgun: nodemailer.createTransport(
    mailgunTransport({
      apiKey: apiKeys.mailgun,
      domain: 'mg.example.com',
      baseUrl: providers.mailgun.url,
      ...options,
    }),
  ),
  mandrill: nodemailer.createTransport(
    mandrillTransport({ apiKey: apiKeys.mandrill, baseUrl: providers.mandrill.url, ...options }),
  ),
})

for (const [provider, transporter] of Object.entries(createTransporters({ correlator }))) {
  transporter.on('sent', (message, failFlag) => {
    const to = message.recipients.map((recipient) => recipient.address).join(', ')
    print(message.provider, failFlag ? 'FAILED' : 'sent', to, `“${message.subject}”`)
  })
  for (const { subject, to } of scenariosOf(provider).filter(({ unrecorded }) => !unrecorded)) {
    await transporter.sendMail({
      from: 'Shop <shop@example.com>',
      to,
      subject,
      text: 'Hello!',
      html: '<p>Hello!</p>',
      tags: ['demo'],
      metadata: { order: '42' },
    })
  }
}

// A transport without a correlator records nothing, as would another program.
for (const [name, transporter] of Object.entries(createTransporters({}))) {
  for (const { subject, to } of scenariosOf(name).filter(({ unrecorded }) => unrecorded)) {
    const info = await transporter.sendMail({ from: 'shop@example.com', to, subject, text: 'Hi' })
    const provider = providers[/** @type {keyof typeof providers} */ (info.provider)]
    while (!provider.posted.some(({ body }) => String(body).includes(idOf(info)))) await tick()
    print(info.provider, 'waiting', to.join(), `“${subject}”`)
    await correlator.record({
      provider: info.provider,
      providerMessageId: idOf(info),
      recipients: info.accepted,
      subject,
    })
  }
}

/** @param {import('mailtrail').SentInfo} info */
function idOf(info) {
  return info.providerMessageId ?? ''
}

function tick() {
  return new Promise((resolve) => setTimeout(resolve, 10))
}

for (const provider of Object.values(providers)) await provider.settled()
await correlator.drain()
const posted = Object.values(providers).flatMap((provider) => provider.posted)
for (const [name, provider] of Object.entries(providers)) {
  const refused = provider.posted.filter(({ status }) => status !== 200)
  if (refused.length !== 1) faults.push(`${name}: ${refused.length} webhooks refused, not one`)
}
const different = new Set(posted.map(({ body }) => body.toString('latin1')))
console.log(
  `\n${posted.length} webhooks came. ${posted.length - different.size} came a second time, and nobody was told again; 3 were forged, and refused.`,
)
await correlator.close()
for (const provider of Object.values(providers)) await provider.close()
server.close()

console.log(`\nRead back from ${file}, each message with its events by the time they happened:\n`)
const { messages, timelines } = await printMessages(file)
for (const provider of Object.keys(providers)) {
  for (const { subject, ends, events } of scenariosOf(provider)) {
    const message = messages.find(
      (found) => found.provider === provider && found.subject === subject,
    )
    const statuses = Object.fromEntries(
      (message?.recipients ?? []).map((recipient) => [recipient.address, recipient.status]),
    )
    if (JSON.stringify(statuses) !== JSON.stringify(ends)) {
      faults.push(
        `${provider} “${subject}”: ${JSON.stringify(statuses)}, not ${JSON.stringify(ends)}`,
      )
    }
    const known = timelines.get(message?.trackingId ?? '') ?? []
    if (known.length !== events) {
      faults.push(`${provider} “${subject}”: ${known.length} events, not ${events}`)
    }
    for (const { id } of known) {
      if (!told.has(id)) faults.push(`${provider} “${subject}”: event ${id} was told to nobody`)
    }
  }
}

if (faults.length > 0) {
  console.error(`\nNot as it should be:\n${faults.join('\n')}`)
  process.exitCode = 1
} else {
  console.log(`\nAll as it should be: ${messages.length} messages, ${told.size} events.`)
}
