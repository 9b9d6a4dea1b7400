// What every server mounts. It writes to the standard output what it tells and what it refuses.
import { createHash, randomUUID } from 'node:crypto'
import { createCorrelator, memoryStore } from 'mailtrail'
import { mailgunWebhook } from 'mailtrail/mailgun'
import { mandrillWebhook } from 'mailtrail/mandrill'
import { sendgridWebhook } from 'mailtrail/sendgrid'

/** Another one each time that this is loaded. */
const thisModule = randomUUID()

/**
 * Takes anything, and tells what came.
 *
 * @type {import('mailtrail').Webhook}
 */
const echo = {
  provider: 'echo',
  name: 'echo',
  maxBodyBytes: 8 * 1024 * 1024,
  answers: {},
  read: async ({ body, target, clientAddress = 'unknown' }) => ({
    kind: 'events',
    events: [
      {
        type: 'unknown',
        providerEvent: 'echo',
        discriminator: randomUUID(),
        tags: [],
        metadata: {
          digest: createHash('sha256').update(body).digest('hex'),
          target,
          clientAddress,
          module: thisModule,
        },
        raw: {},
      },
    ],
  }),
}

const {
  SENDGRID_PUBLIC_KEY: publicKey = '',
  MAILGUN_SIGNING_KEY: signingKey = '',
  MANDRILL_WEBHOOK_KEY: key = '',
  MANDRILL_WEBHOOK_URL: url = '',
} = process.env

export const correlator = createCorrelator({
  store: memoryStore(),
  webhooks: [
    sendgridWebhook({ publicKey }),
    mailgunWebhook({ signingKey }),
    mandrillWebhook({ key, url }),
    echo,
  ],
  foreignAfter: 0,
  trustedProxies: ['loopback'],
})

correlator.onAny(({ provider, type, recipient, metadata }) =>
  process.stdout.write(`told ${JSON.stringify({ provider, type, recipient, metadata })}\n`),
)
correlator.on('refused', ({ webhook, reason, message }) =>
  process.stdout.write(`refused ${JSON.stringify({ webhook, reason, message })}\n`),
)
