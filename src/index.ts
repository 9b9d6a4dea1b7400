export type { AlarmOptions, FailureCondition, SilenceCondition } from './alarm-conditions.js'
export type { Alarm, CriticalMessageAlarm, FailureRateAlarm, SilenceAlarm } from './alarms.js'
export type { AlarmListener } from './alarm-listeners.js'
export { attachmentFolder } from './attachment-folder.js'
export type { AttachmentHead, AttachmentKeeper } from './attachments.js'
export type { BackfillOptions, BackfillProgress } from './backfill.js'
export type { BeforeSend, MessageChange, MessageDraft } from './before-send.js'
export { createCorrelator } from './correlator.js'
export type { Correlator, RefusedListener } from './correlator.js'
export type { CorrelatorOptions } from './correlator-options.js'
export type { DeadLetter, DeadLetters, ListenerFailure } from './dead-letters.js'
export type { EndpointHealth, RequestOutcome, WebhookHealth } from './endpoint-health.js'
export {
  ConfigurationError,
  ForwardingError,
  HistoryError,
  ListenerError,
  QueueError,
  SendError,
  StoreError,
  WaitError,
  WebhookError,
} from './errors.js'
export type {
  CorrelatorError,
  RefusalReason,
  SendErrorCategory,
  SendErrorCode,
  SendErrorDetails,
} from './errors.js'
export type { EventQueue, QueuedEvents, QueuedIds, QueuedResult } from './event-queue.js'
export type {
  AnyEvent,
  AttachmentContent,
  Bounce,
  BounceKind,
  Correlation,
  EventFact,
  EventIdentity,
  EventOf,
  EventOrigin,
  EventType,
  InboundAttachment,
  InboundHead,
  InboundMail,
  MailEvent,
  MailHeader,
  MatchedVia,
  ParsedEvent,
  RawEvents,
  RawInboundMails,
  RejectReason,
  SmtpReply,
  SubscriptionScope,
  Visit,
} from './event.js'
export { keepFailed } from './failed-messages.js'
export type { FailedMessage, FailedMessages, FailedMessagesOptions } from './failed-messages.js'
export { failoverTransport, roundRobinTransport } from './failover.js'
export type { FailoverOptions } from './failover.js'
export { forwardTo } from './forwarding.js'
export type { Forwarding, ForwardingFailureListener, ForwardingOptions } from './forwarding.js'
export type { ConnectionInfo, FetchHandler } from './fetch-handler.js'
export { guardWebhook } from './guarded-webhook.js'
export type { GuardedWebhook, GuardedWebhookOptions, VerifiedHandler } from './guarded-webhook.js'
export {
  addressAllowList,
  basicAuth,
  forgeryLimit,
  querySecret,
  rateLimit,
  userAgent,
} from './guards.js'
export type { RateLimiter } from './guards.js'
export { hashedAddresses } from './hashed-addresses.js'
export type { InboundOptions } from './inbound-mail.js'
export { logTo } from './log-observer.js'
export type { Logger } from './log-observer.js'
export type { CorrelatorEvents, EventListener, ListenerOptions } from './listeners.js'
export type {
  Address,
  Engagement,
  EngagementCount,
  EngagementKind,
  Envelope,
  MessageRecord,
  MessageStatus,
  RecipientKind,
  RecipientStatus,
  SendAttempt,
  SendOutcome,
  SendResult,
  SendStatus,
  SentError,
  SentMessage,
  SentRecipient,
} from './message.js'
export type { NodeHandler } from './node-handler.js'
export type {
  Activity,
  DeadLetterFact,
  Fact,
  FailureFact,
  Following,
  Gauges,
  IngestFact,
  ListenerCall,
  ListenerFact,
  Observer,
  SendFact,
  SendFailure,
  VerifyFact,
  AlarmFact,
  WebhookFact,
} from './observer.js'
export type { Paging } from './paging.js'
export type {
  EventHistory,
  Guard,
  HistoryPage,
  HistoryRequest,
  Nonce,
  Refusal,
  SendRecorder,
  SentIds,
  Webhook,
  WebhookAnswers,
  WebhookEndpoint,
  WebhookReading,
  WebhookRequest,
  WebhookRequestHead,
} from './provider.js'
export type { MessageQuery, Questions } from './questions.js'
export type { RecipientHealth } from './recipient-health.js'
export type { RecordedMessage } from './recorded-message.js'
export type { Retention } from './retention.js'
export type { ProviderInfo } from './send-result.js'
export type { KeySource } from './signing-keys.js'
export type {
  DayTallies,
  NamedTallies,
  Rates,
  Statistics,
  StatisticsQuery,
  Tallies,
} from './statistics.js'
export type {
  AskedEvents,
  Checkpoint,
  ClaimedEvents,
  CountChange,
  CountDimension,
  Counted,
  CountQuery,
  CountRow,
  Delivery,
  EngagementState,
  IncomingBatch,
  IncomingEvent,
  IngestResult,
  Lease,
  ListenerProgress,
  MatchKey,
  MessageKey,
  Progress,
  PruneLimits,
  RecipientState,
  Schedule,
  Settlement,
  Store,
  StoredDeadLetter,
  StoredMessage,
  StoredSuppression,
  StoreQuery,
  Suppression,
  SuppressionCause,
  SuppressionFact,
  SuppressionState,
  Tally,
  Tellable,
  TimeSpan,
} from './store.js'
export { memoryStore } from './stores/memory.js'
export type {
  ImportResult,
  SuppressionEntry,
  SuppressionFilter,
  SuppressionOptions,
  Suppressions,
} from './suppressions.js'
export type { FoundMessage, TrackedMessage, TrackedRecipient } from './tracked-message.js'
export type { TransportOptions } from './transport-options.js'
export type {
  MailOptions,
  PortableMailOptions,
  ProviderMailOptions,
  ProviderTransport,
  ProviderTransporter,
  RecipientDataOptions,
  SentInfo,
  TransporterEvents,
  TransportEvents,
} from './transporter.js'
export type { UnsupportedPolicy } from './unsupported-fields.js'
export type { VerifiableRequest } from './verifiable-request.js'
export type { WaitOptions } from './waiting.js'
export type { WebhookOptions } from './webhook-options.js'
