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
  RegisteredWebhook,
  SignedRequest,
  SimulatedAccount,
  SimulatedEvent,
  SimulatedEventType,
  SimulatedMessage,
  SimulatedRecipient,
  SimulatedSuppression,
  ToldEvent,
} from '../simulator.js'
export { storeContract, type StoreCase } from './store-contract.js'
export type { OpenedStore } from './store-steps.js'
