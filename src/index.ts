export { createCorrelator } from './correlator.js'
export type { Correlator, MessageQuery, Paging } from './correlator.js'
export type { CorrelatorOptions } from './correlator-options.js'
export {
  ConfigurationError,
  ListenerError,
  SendError,
  StoreError,
  WaitError,
  WebhookError,
} from './errors.js'
export type { CorrelatorError, RefusalReason, SendErrorCategory, SendErrorCode } from './errors.js'
export type {
  Bounce,
  BounceKind,
  Correlation,
  EventOf,
  EventType,
  MailEvent,
  MatchedVia,
  ParsedEvent,
  RawEvents,
  RejectReason,
  SubscriptionScope,
} from './event.js'
export type { CorrelatorEvents, EventListener } from './listeners.js'
export type {
  Address,
  Engagement,
  EngagementKind,
  Envelope,
  MessageStatus,
  RecipientKind,
  RecipientStatus,
  SendStatus,
  SentError,
  SentMessage,
  SentRecipient,
} from './message.js'
export type { NodeHandler } from './node-handler.js'
export type {
  Nonce,
  SendRecorder,
  Webhook,
  WebhookAnswers,
  WebhookReading,
  WebhookRequest,
} from './provider.js'
export type { RecordedMessage } from './recorded-message.js'
export type { ProviderInfo } from './send-result.js'
export type { Store } from './store.js'
export { memoryStore } from './stores/memory.js'
export type { FoundMessage, TrackedMessage, TrackedRecipient } from './tracked-message.js'
export type { TransportOptions } from './transport-options.js'
export type { UnsupportedPolicy } from './mail-options.js'
export type {
  MailOptions,
  PortableMailOptions,
  ProviderTransport,
  ProviderTransporter,
  SentInfo,
  TransporterEvents,
  TransportEvents,
} from './transporter.js'
export type { WaitOptions } from './waiting.js'
