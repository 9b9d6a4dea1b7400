// npm run bench:send [-- --rounds 15] [--messages 400] [--in-flight 64] [--provider sendgrid]
//
// What a message costs on its way to a provider's API that stands on this machine: through our transport,
// through the provider's SDK alone, through the Nodemailer transport that exists for that provider, and
// over bare keep-alive HTTP; then through ours with a correlator on a SQLite file that waits for the disk.
// All sides take turns in one process, round by round, so that each ratio is of neighbours in time.
import { execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { createRequire } from 'node:module'
import net from 'node:net'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import nodemailer from 'nodemailer'
import { createCorrelator } from '../dist/esm/index.js'
import { mailgunTransport } from '../dist/esm/providers/mailgun/index.js'
import { mandrillTransport } from '../dist/esm/providers/mandrill/index.js'
import { sendgridTransport } from '../dist/esm/providers/sendgrid/index.js'
import { sqliteStore } from '../dist/esm/stores/sqlite.js'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    messages: { type: 'string', default: '400' },
    'in-flight': { type: 'string', default: '64' },
    provider: { type: 'string' },
  },
})
const rounds = Number(values.rounds)
const messages = Number(values.messages)
const inFlight = Number(values['in-flight'])

const here = fileURLToPath(new URL('.', import.meta.url))
const peersFolder = join(here, 'peers')
if (!existsSync(join(peersFolder, 'node_modules'))) {
  // Scripts of theirs are not run.
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: peersFolder })
}
const ours = createRequire(import.meta.url)
const peers = createRequire(join(peersFolder, 'package.json'))

const server = fork(join(here, 'send-server.mjs'))
const [port] = await once(server, 'message')
const url = `http://127.0.0.1:${port}`

// A peer that went on to its real provider would measure the internet, and send.
const connect = net.Socket.prototype.connect
net.Socket.prototype.connect = function (...given) {
  const [{ port: to, host = 'localhost' } = {}] = Array.isArray(given[0]) ? given[0] : given
  if (to !== undefined && Number(to) !== port) {
    console.error(`a request left for ${host}:${to}`)
    process.exit(1)
  }
  return Reflect.apply(connect, this, given)
}

const folder = mkdtempSync(join(tmpdir(), 'mailtrail-bench-'))
const correlator = createCorrelator({ store: sqliteStore(join(folder, 'send.db')) })

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

const sides = {
  sendgrid() {
    const { MailService } = ours('@sendgrid/mail')
    const { Client } = ours('@sendgrid/client')
    const client = new Client()
    client.setApiKey('SG.key')
    // After the key, whose setter resets it.
    client.setDefaultRequest('baseUrl', `${url}/`)
    const service = new MailService()
    service.setClient(client)
    const peerMail = createRequire(peers.resolve('nodemailer-sendgrid'))('@sendgrid/mail')
    const peer = peers('nodemailer-sendgrid')({ apiKey: 'SG.key' })
    peerMail.client.setDefaultRequest('baseUrl', `${url}/`)
    const body = () => ({
      personalizations: [{ to: [{ email: recipient().address }], custom_args: { order: '42' } }],
      from: { email: from.address, name: from.name },
      subject: 'Your order',
      content: [
        { type: 'text/plain', value: text },
        { type: 'text/html', value: html },
      ],
      categories: ['order'],
    })
    return {
      'the SDK alone': () => service.send(body()),
      'nodemailer-sendgrid': through(peer, {}),
      'bare HTTP': () =>
        post(
          '/v3/mail/send',
          { authorization: 'Bearer SG.key', 'content-type': 'application/json' },
          JSON.stringify(body()),
        ),
    }
  },
  mailgun() {
    const Mailgun = ours('mailgun.js')
    const client = new Mailgun(FormData).client({ username: 'api', key: 'key', url })
    const peer = peers('nodemailer-mailgun-transport')({
      auth: { api_key: 'key', domain },
      url,
    })
    const form = () => ({
      from: 'Shop <shop@mg.example.com>',
      to: [recipient().address],
      subject: 'Your order',
      text,
      html,
      'o:tag': ['order'],
      'v:order': '42',
    })
    return {
      'the SDK alone': () => client.messages.create(domain, form()),
      'nodemailer-mailgun-transport': through(peer, {}),
      'bare HTTP': () =>
        post(
          `/v3/${domain}/messages`,
          {
            authorization: `Basic ${btoa('api:key')}`,
            'content-type': 'application/x-www-form-urlencoded',
          },
          new URLSearchParams(form()).toString(),
        ),
    }
  },
  mandrill() {
    const client = ours('@mailchimp/mailchimp_transactional')('key')
    client.basePath = `${url}/api/1.3`
    // It knows one host alone, over TLS: its calls are turned to this machine.
    const request = https.request
    https.request = (options, ...rest) =>
      options?.host === 'mandrillapp.com'
        ? http.request({ ...options, host: '127.0.0.1', port, agent }, ...rest)
        : Reflect.apply(request, https, [options, ...rest])
    const peer = peers('nodemailer-mandrill-transport')({ auth: { apiKey: 'key' } })
    const call = () => ({
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
    // It reads addresses that are texts alone.
    const transporter = nodemailer.createTransport(peer)
    const peerMail = () => ({
      ...mail(),
      from: 'Shop <shop@mg.example.com>',
      to: recipient().address,
    })
    return {
      'the SDK alone': () => client.messages.send(call()),
      'nodemailer-mandrill-transport': () => transporter.sendMail(peerMail()),
      'bare HTTP': () =>
        post(
          '/api/1.3/messages/send',
          { 'content-type': 'application/json' },
          JSON.stringify({ key: 'key', ...call() }),
        ),
    }
  },
}

/** Messages per second, and CPU time of this process per message in us. */
async function measure(send) {
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

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)]

async function compare(provider) {
  const all = {
    mailtrail: through(transports[provider]({})),
    'mailtrail with SQLite': through(transports[provider]({ correlator })),
    ...sides[provider](),
  }
  const names = Object.keys(all)
  const results = new Map(names.map((name) => [name, []]))
  for (const name of names) await measure(all[name])
  for (let round = 0; round < rounds; round += 1) {
    const turn = round % names.length
    for (const name of [...names.slice(turn), ...names.slice(0, turn)]) {
      results.get(name).push(await measure(all[name]))
    }
  }
  console.log(`\n${provider}, ${inFlight} in flight, ${rounds} rounds of ${messages} messages\n`)
  const table = names.map((name) => {
    const measured = results.get(name)
    const against = results.get('the SDK alone')
    return {
      side: name,
      'messages/s': Math.round(median(measured.map(({ rate }) => rate))),
      'CPU us/message': Math.round(median(measured.map(({ cpu }) => cpu))),
      'of the SDK alone': Number(
        median(measured.map(({ rate }, round) => rate / against[round].rate)).toFixed(2),
      ),
    }
  })
  console.table(table)
}

console.log(`Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model.trim()}`)
for (const provider of values.provider ? [values.provider] : Object.keys(sides)) {
  await compare(provider)
}
await correlator.close()
rmSync(folder, { recursive: true, force: true })
server.disconnect()
process.exit()
