// One side of bench/send.mjs, in a process of its own as it would be in an application: it sends so many
// messages when it is told to, and says how long that took.
import http from 'node:http'
import https from 'node:https'
import { createRequire } from 'node:module'
import net from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import nodemailer from 'nodemailer'
import { createCorrelator } from '../dist/esm/index.js'
import { mailgunTransport } from '../dist/esm/providers/mailgun/index.js'
import { mandrillTransport } from '../dist/esm/providers/mandrill/index.js'
import { sendgridTransport } from '../dist/esm/providers/sendgrid/index.js'
import { sqliteStore } from '../dist/esm/stores/sqlite.js'

const [provider, side, url, folder] = process.argv.slice(2)
const { port } = new URL(url)
const ours = createRequire(import.meta.url)
const peers = createRequire(
  join(fileURLToPath(new URL('.', import.meta.url)), 'peers', 'package.json'),
)

// A peer that went on to its real provider would measure the internet, and send.
const connect = net.Socket.prototype.connect
net.Socket.prototype.connect = function (...given) {
  const [{ port: to, host = 'localhost' } = {}] = Array.isArray(given[0]) ? given[0] : given
  if (to !== undefined && Number(to) !== Number(port)) {
    console.error(`a request left for ${host}:${to}`)
    process.exit(1)
  }
  return Reflect.apply(connect, this, given)
}

const text = 'Thanks for your order. It will be with you in three days. '.repeat(15)
const html = `<html><body>${`<p class="line">${text.slice(0, 300)}</p>`.repeat(12)}</body></html>`
const from = { name: 'Shop', address: 'shop@mg.example.com' }
let sequence = 0
const recipient = () => ({ name: 'Ann', address: `ann-${(sequence += 1)}@example.org` })
const mail = (more = {}) => ({ from, to: recipient(), subject: 'Your order', text, html, ...more })
const portable = { tags: ['order'], metadata: { order: '42' } }

const agent = new http.Agent({ keepAlive: true })
/** One POST over a connection that is kept. */
function post(path, headers, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(url + path, { method: 'POST', agent, headers }, (response) => {
      response.resume().once('end', resolve).once('error', reject)
    })
    request.once('error', reject).end(body)
  })
}

const through = (transport, more = portable) => {
  const transporter = nodemailer.createTransport(transport)
  return () => transporter.sendMail(mail(more))
}

const domain = 'mg.example.com'
const transports = {
  sendgrid: (options) => sendgridTransport({ apiKey: 'SG.key', baseUrl: url, ...options }),
  mailgun: (options) => mailgunTransport({ apiKey: 'key', domain, baseUrl: url, ...options }),
  mandrill: (options) => mandrillTransport({ apiKey: 'key', baseUrl: url, ...options }),
}

const sendgridBody = () => ({
  personalizations: [{ to: [{ email: recipient().address }], custom_args: { order: '42' } }],
  from: { email: from.address, name: from.name },
  subject: 'Your order',
  content: [
    { type: 'text/plain', value: text },
    { type: 'text/html', value: html },
  ],
  categories: ['order'],
})

const mailgunForm = () => ({
  from: 'Shop <shop@mg.example.com>',
  to: [recipient().address],
  subject: 'Your order',
  text,
  html,
  'o:tag': ['order'],
  'v:order': '42',
})

const mandrillCall = () => ({
  message: {
    from_email: from.address,
    from_name: from.name,
    to: [{ email: recipient().address, name: 'Ann', type: 'to' }],
    subject: 'Your order',
    text,
    html,
    tags: ['order'],
    metadata: { order: '42' },
  },
})

const peerSides = {
  sendgrid: {
    'the SDK alone'() {
      const { MailService } = ours('@sendgrid/mail')
      const { Client } = ours('@sendgrid/client')
      const client = new Client()
      client.setApiKey('SG.key')
      // After the key, whose setter resets it.
      client.setDefaultRequest('baseUrl', `${url}/`)
      const service = new MailService()
      service.setClient(client)
      return () => service.send(sendgridBody())
    },
    'nodemailer-sendgrid'() {
      const { client } = createRequire(peers.resolve('nodemailer-sendgrid'))('@sendgrid/mail')
      const peer = peers('nodemailer-sendgrid')({ apiKey: 'SG.key' })
      client.setDefaultRequest('baseUrl', `${url}/`)
      return through(peer, {})
    },
    'bare HTTP': () => () =>
      post(
        '/v3/mail/send',
        { authorization: 'Bearer SG.key', 'content-type': 'application/json' },
        JSON.stringify(sendgridBody()),
      ),
  },
  mailgun: {
    'the SDK alone'() {
      const Mailgun = ours('mailgun.js')
      const client = new Mailgun(FormData).client({ username: 'api', key: 'key', url })
      return () => client.messages.create(domain, mailgunForm())
    },
    'nodemailer-mailgun-transport'() {
      const auth = { api_key: 'key', domain }
      return through(peers('nodemailer-mailgun-transport')({ auth, url }), {})
    },
    'bare HTTP': () => () =>
      post(
        `/v3/${domain}/messages`,
        {
          authorization: `Basic ${btoa('api:key')}`,
          'content-type': 'application/x-www-form-urlencoded',
        },
        new URLSearchParams(mailgunForm()).toString(),
      ),
  },
  mandrill: {
    'the SDK alone'() {
      const client = ours('@mailchimp/mailchimp_transactional')('key')
      client.basePath = `${url}/api/1.3`
      return () => client.messages.send(mandrillCall())
    },
    'nodemailer-mandrill-transport'() {
      // It knows one host alone, over TLS: its calls are turned to this machine.
      const request = https.request
      https.request = (options, ...rest) =>
        options?.host === 'mandrillapp.com'
          ? http.request({ ...options, host: '127.0.0.1', port, agent }, ...rest)
          : Reflect.apply(request, https, [options, ...rest])
      const peer = peers('nodemailer-mandrill-transport')({ auth: { apiKey: 'key' } })
      const transporter = nodemailer.createTransport(peer)
      // It reads addresses that are texts alone.
      const peerMail = () => ({
        ...mail(),
        from: 'Shop <shop@mg.example.com>',
        to: recipient().address,
      })
      return () => transporter.sendMail(peerMail())
    },
    'bare HTTP': () => () =>
      post(
        '/api/1.3/messages/send',
        { 'content-type': 'application/json' },
        JSON.stringify({ key: 'key', ...mandrillCall() }),
      ),
  },
}

const sides = {
  mailtrail: () => through(transports[provider]({})),
  'mailtrail with SQLite'() {
    const store = sqliteStore(join(folder, `${provider}.db`))
    return through(transports[provider]({ correlator: createCorrelator({ store }) }))
  },
  /** What every transport bears: composing alone, and an answer at once. */
  'Nodemailer alone': () =>
    through({
      name: 'nothing',
      version: '1',
      send: (_, callback) => setImmediate(() => callback(null, {})),
    }),
  ...peerSides[provider],
}

/** Messages per second, and CPU time of this process per message in us. */
async function measure(send, messages, inFlight) {
  const cpu = process.cpuUsage()
  const began = performance.now()
  let left = messages
  const worker = async () => {
    while (left > 0) {
      left -= 1
      await send()
    }
  }
  await Promise.all(Array.from({ length: Math.min(inFlight, messages) }, worker))
  const took = performance.now() - began
  const { user, system } = process.cpuUsage(cpu)
  return { rate: (messages / took) * 1000, cpu: (user + system) / messages }
}

const send = sides[side]()
process.on('message', async ({ messages, inFlight }) => {
  process.send(await measure(send, messages, inFlight))
})
process.on('disconnect', () => process.exit())
process.send('ready')
