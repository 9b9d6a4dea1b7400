// What is the reader's own, and pages speak of without declaring it. A block sees of it what it names and neither
// it nor an earlier block of its page declares. What comes from a package is not among it: pages say where from.
import type {
  Correlator,
  EventOf,
  FailedMessages,
  ProviderInfo,
  ProviderTransport,
  ProviderTransporter,
  SentMessage,
  Store,
  TransportOptions,
  Webhook,
  WebhookOptions,
} from 'mailtrail'
import type { ProviderSimulator } from 'mailtrail/testing'

export declare const correlator: Correlator
export declare const transporter: ProviderTransporter
export declare const store: Store
export declare const webhooks: Webhook[]
export declare const webhook: Webhook
export declare const simulator: ProviderSimulator
export declare const failed: FailedMessages<ProviderInfo<string>>

export declare const url: string
export declare const trackingId: string
export declare const apiKey: string
export declare const domain: string
export declare const signingKey: string
export declare const from: Date
export declare const to: Date

export declare const queue: { add(name: string, jobs: unknown): Promise<void> }
export declare const log: { warn(fields: object, text: string): void }
export declare function page(text: string): void
export declare const pager: { call(text: string): void }
export declare function sessionOf(
  cookie: string | undefined,
): Promise<{ userId: string; isOperator: boolean } | undefined>
export declare function isHoliday(): Promise<boolean>
export declare function updateCustomer(event: EventOf<'bounced'>): Promise<void>
export declare function onComplaint(
  event: EventOf<'complained'>,
  message: SentMessage | undefined,
): Promise<void>
export declare function openTwoHandles(): Promise<{ store: Store; other: Store }>

export declare function exampleSimulator(options: {
  apiKey: string
  webhookUrl: string
}): ProviderSimulator & { key: string }
export declare function exampleWebhook(options?: WebhookOptions & { key?: string }): Webhook
export declare function exampleTransport(
  options?: TransportOptions & { apiKey?: string },
): ProviderTransport
