export { startProvider } from './provider-server.js'
export type {
  ApiFailure,
  PostedWebhook,
  RunningProvider,
  ScriptedPost,
  StartOptions,
} from './provider-server.js'
export type {
  ApiAnswer,
  ApiRequest,
  ProviderSimulator,
  SignedRequest,
  SimulatedEvent,
  SimulatedEventType,
  SimulatedMessage,
  SimulatedRecipient,
  ToldEvent,
} from '../simulator.js'
export { storeContract, type StoreCase } from './store-contract.js'
export type { OpenedStore } from './store-steps.js'
export { providerContract, type ProviderCase } from './provider-contract.js'
export type { ProviderParts, ProviderUnderTest } from './provider-steps.js'
