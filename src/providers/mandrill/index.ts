export { mandrillTransport } from './transport.js'
export type { MandrillInfo, MandrillTransportOptions } from './transport.js'
export type {
  MandrillAttachment,
  MandrillMailOptions,
  MandrillMessageOptions,
  MandrillVariable,
} from './mail-options.js'
export { mandrillWebhook } from './webhook.js'
export type { MandrillWebhookOptions } from './webhook.js'
export { mandrillHistory } from './history.js'
export type { MandrillHistoryOptions } from './history.js'
export { verifyMandrillSignature } from './verify.js'
export type { MandrillVerification } from './verify.js'
export type {
  MandrillEvent,
  MandrillFile,
  MandrillInboundMail,
  MandrillListEntry,
  MandrillMessage,
} from './raw-event.js'
export { mandrillSimulator } from './simulator.js'
export type { MandrillSimulator, MandrillSimulatorOptions } from './simulator.js'
