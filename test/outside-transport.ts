import type { ProviderInfo } from '../src/send-result.js'
import type { TransportOptions } from '../src/transport-options.js'
import type { OutgoingMail, ProviderClient } from '../src/provider-client.js'
import { createProviderTransport } from '../src/transport.js'
import type { ProviderTransport } from '../src/transporter.js'

/** What the client below was asked to send. */
export interface OutsideRequest {
  mail: OutgoingMail
  trackingId: string
}

/** A client of a provider that this package does not know: it accepts everything. */
export function outsideClient(
  overrides: Partial<ProviderClient<OutsideRequest>> = {},
): ProviderClient<OutsideRequest> & { sent: OutsideRequest[] } {
  const sent: OutsideRequest[] = []
  return {
    sent,
    buildRequest: (mail, trackingId) => ({ request: { mail, trackingId }, lost: [] }),
    async send(request) {
      sent.push(request)
      return {
        response: '250 taken',
        providerMessageId: 'm-1',
        recipient: () => ({ status: 'accepted', providerStatus: 'taken' }),
      }
    },
    ...overrides,
  }
}

export function outsideTransport(
  client: ProviderClient<OutsideRequest>,
  options: TransportOptions = {},
): ProviderTransport<ProviderInfo<'outside'>> {
  return createProviderTransport('outside', client, options)
}
