import type { InboundMail } from '../src/event.js'

/** A received mail that says nothing but who wrote to whom. */
export const bareMail: InboundMail = {
  envelope: { from: 'ann@example.com', to: ['shop@example.com'] },
  to: [],
  cc: [],
  replyTo: [],
  references: [],
  attachments: [],
  inline: {},
  headers: [],
  problems: [],
}
