import { createNodemailerTransport } from './nodemailer-transport.js'
import type { ProviderClient } from './provider-client.js'
import type { ProviderInfo } from './send-result.js'
import { createSender } from './sender.js'
import type { TransportOptions } from './transport-options.js'
import type { ProviderTransport } from './transporter.js'

/** A Nodemailer transport over a provider's client. */
export function createProviderTransport<Request, Provider extends string>(
  provider: Provider,
  client: ProviderClient<Request>,
  options: TransportOptions,
): ProviderTransport<ProviderInfo<Provider>> {
  const sender = createSender(provider, client, options)
  return createNodemailerTransport(provider, [sender], {
    inOrder: () => [sender],
    goesOn: () => false,
  })
}
