export { simulatedEventTypes } from '../simulator.js'
export { startProvider } from './provider-server.js'
export type {
  ApiFailure,
  RunningProvider,
  Script,
  ScriptedPost,
  StartOptions,
} from './provider-server.js'
export type { PostedWebhook } from './webhook-posting.js'
export { rateLimited } from './api-failures.js'
export {
  byRecipient,
  delayed,
  duplicated,
  early,
  forged,
  happens,
  inDisorder,
  inTurn,
  poisoned,
  recut,
  underOtherIds,
} from './scripts.js'
export type { ScriptedEvent } from './scripts.js'
export type {
  ApiAnswer,
  ApiRequest,
  OtherEventType,
  OtherRequests,
  ProviderSimulator,
  RegisteredWebhook,
  SignedRequest,
  SimulatedAccount,
  SimulatedEvent,
  SimulatedEventType,
  SimulatedMessage,
  SimulatedRecipient,
  SimulatedSuppression,
  ToldEvent,
  WebhookRetries,
} from '../simulator.js'
export { storeContract, type StoreCase } from './store-contract.js'
export type { OpenedStore } from './store-steps.js'
export { providerContract, type ProviderCase } from './provider-contract.js'
export type { ProviderParts, ProviderUnderTest, UntoldEvent } from './provider-steps.js'
export { mailMatchers } from './matchers.js'
export type {
  BounceExpectation,
  ClickExpectation,
  Expectation,
  ExpectedMail,
  MailMatchers,
} from './matchers.js'
export { signedRequests, simulatedMessage } from './signed-requests.js'
export type { MessageSample } from './signed-requests.js'
export { eventFixture } from './event-fixtures.js'
export type { EventFixture } from './event-fixtures.js'
