// A provider of your own: a transport, a webhook and a simulator for tests, here of Postmark.
// docs/providers.md walks through it. In a clone: npx jest test/examples/postmark
export { postmarkTransport } from './transport.js'
export type { PostmarkTransportOptions } from './transport.js'
export { postmarkWebhook } from './webhook.js'
export type { PostmarkWebhookOptions } from './webhook.js'
export { postmarkSimulator } from './simulator.js'
