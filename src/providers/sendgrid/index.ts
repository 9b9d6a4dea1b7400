export { sendgridTransport } from './transport.js'
export type { SendgridInfo, SendgridTransportOptions } from './transport.js'
export type {
  SendgridMailOptions,
  SendgridMailSettings,
  SendgridTrackingSettings,
} from './mail-options.js'
export { sendgridWebhook } from './webhook.js'
export type { SendgridWebhookOptions } from './webhook.js'
export type { SendgridEvent } from './entries.js'
export type { SendgridInboundMail } from './inbound-fields.js'
export type { SendgridInboundOptions } from './inbound.js'
export { verifySendgridSignature } from './verify.js'
export { sendgridSimulator } from './simulator.js'
export type { SendgridSimulator, SendgridSimulatorOptions } from './simulator.js'
export { sendgridHistory } from './history.js'
export type { SendgridHistoryOptions } from './history.js'
