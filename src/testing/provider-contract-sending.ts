import { deepEqual, equal, match, ok } from 'node:assert/strict'
import type { SentMessage } from '../message.js'
import { ownIdKey } from '../matching.js'
import type { MailOptions } from '../transporter.js'
import { like, same } from './comparing.js'
import {
  ann,
  bob,
  known,
  type OpenedProvider,
  plainMail,
  type ProviderChecks,
  refusalOf,
  send,
  transporterOf,
} from './provider-steps.js'

const uuid = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[\da-f]{4}-[\da-f]{12}$/

const carl = 'carl.recipient@example.org'

/** A mail with whatever a careless transport would write into, made anew each time. */
const mailOfObjects = (): MailOptions => ({
  from: { name: 'Shop', address: 'shop@example.com' },
  to: [{ name: 'Ann', address: 'ann@bücher.example' }],
  cc: ['Bob <bob@example.org>'],
  replyTo: ['Help <help@example.com>'],
  subject: 'Your order',
  text: Buffer.from('Thanks'),
  html: '<p>Thanks',
  attachments: [
    { filename: 'a.txt', content: Buffer.from('a') },
    { filename: 'b.txt', content: 'YQ==', encoding: 'base64' },
  ],
  headers: { 'X-Order': ['42'] },
  tags: ['order', 'order'],
  metadata: { order: '42' },
})

/** What was told of a message while something was done, in the order it was. */
async function heard(
  opened: OpenedProvider,
  mail: MailOptions,
): Promise<{ message: SentMessage; failFlag: boolean }[]> {
  const told: { message: SentMessage; failFlag: boolean }[] = []
  const transporter = transporterOf(opened)
  transporter.on('sent', (message: SentMessage, failFlag: boolean) => {
    told.push({ message, failFlag })
    throw new Error('a listener of sent failed')
  })
  await transporter.sendMail(mail).catch(() => {})
  return told
}

/** What `sendMail` does, and what of it reaches the provider. */
export const sendingChecks: ProviderChecks = {
  async 'info says what became of every recipient, and by which ids to ask for it'(opened) {
    const { info, message } = await send(opened, { cc: bob, bcc: carl })
    like(info, {
      envelope: { from: 'shop@example.com', to: [ann, bob, carl] },
      accepted: [ann, bob, carl],
      rejected: [],
      pending: [],
      provider: opened.subject.provider,
    })
    match(info.trackingId, uuid)
    match(info.messageId, /^<[^<>\s]+@[^<>\s]+>$/)
    ok(info.response, 'response is missing: it is the answer of the provider in a line')
    same(
      info.recipients.map(({ address, kind, status }) => [address, kind, status]),
      [
        [ann, 'to', 'accepted'],
        [bob, 'cc', 'accepted'],
        [carl, 'bcc', 'accepted'],
      ],
    )
    const ids = [info.providerMessageId, ...info.recipients.map((each) => each.providerMessageId)]
    ok(ids.includes(message.id), `the provider calls it ${message.id}, and info ${ids.join(', ')}`)
    equal(`<${message.messageId}>`, info.messageId)
  },

  async 'our id is planted in what is sent'(opened) {
    const { info, message } = await send(opened, { metadata: { order: '42' } })
    same([message.metadata[ownIdKey], message.metadata['order']], [info.trackingId, '42'])
  },

  async 'each message has an id of its own'(opened) {
    const [one, two] = [await send(opened), await send(opened)]
    ok(one.info.trackingId < two.info.trackingId, 'ids do not grow with time')
    ok(one.message.id !== two.message.id, 'the simulator gives two messages one id')
  },

  async 'a message is recorded before the provider is called'(opened) {
    const recorded: unknown[] = []
    opened.script = ({ metadata }) => {
      recorded.push(opened.correlator.message(metadata[ownIdKey] ?? ''))
      return []
    }
    await send(opened)
    const [message] = await Promise.all(recorded)
    ok(message, 'the provider had it, and it was not recorded')
  },

  async 'what is recorded says who it went to, and what about'(opened) {
    const labels = { tags: ['order'], metadata: { order: '42' } }
    const sent = await send(opened, { cc: bob, ...labels })
    const { info } = sent
    like(await known(opened, sent), {
      provider: opened.subject.provider,
      messageId: info.messageId,
      subject: 'Your order',
      from: { address: 'shop@example.com' },
      to: [{ address: ann }],
      cc: [{ address: bob }],
      ...labels,
      failFlag: false,
      status: 'accepted',
    })
  },

  async 'it sends without a correlator too'(opened) {
    const { running, transport } = opened
    const transporter = transporterOf({
      ...opened,
      transport: ({ correlator: _, ...options }) => transport(options),
    })
    const info = await transporter.sendMail(plainMail)
    match(info.trackingId, uuid)
    equal(running.messages.length, 1)
  },

  async 'sent is told once of what is sent, and a listener that throws changes nothing'(opened) {
    const told = await heard(opened, plainMail)
    same(
      told.map(({ message, failFlag }) => [message.subject, message.failFlag, failFlag]),
      [['Your order', false, false]],
    )
  },

  async 'sent is told once of what is not sent'(opened) {
    opened.running.failNext({ kind: 'answer', status: 503 })
    const told = await heard(opened, plainMail)
    same(
      told.map(({ message, failFlag }) => [message.failFlag, failFlag, message.error?.statusCode]),
      [[true, true, 503]],
    )
  },

  async 'what cannot be sent at all is recorded nowhere, and told as failed'(opened) {
    const told = await heard(opened, { ...plainMail, to: '' })
    same(
      told.map(({ failFlag }) => failFlag),
      [true],
    )
    equal(opened.running.requests.length, 0)
    const error = await refusalOf(transporterOf(opened).sendMail({ ...plainMail, to: '' }))
    like(error, { name: 'SendError', outcome: 'not-sent', retryable: false })
  },

  async 'the object of the caller is left as it was'(opened) {
    const mail = mailOfObjects()
    await transporterOf(opened).sendMail(mail)
    deepEqual(mail, mailOfObjects(), 'the transport has written into the mail')
  },
}
