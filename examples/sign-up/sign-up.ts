// An account that waits for its mail to arrive. Its tests, sign-up.test.ts, are written for vitest, and
// docs/testing.md tells of them. With vitest installed: npx vitest run examples/sign-up
import type { Correlator, ProviderTransporter } from 'mailtrail'

export type Account = 'waiting' | 'asked' | 'unreachable' | 'confirmed'

/** An app in which somebody signs up, and is asked by mail to confirm the address. */
export function createSignUp(transporter: ProviderTransporter, correlator: Correlator) {
  const accounts = new Map<string, Account>()

  correlator.on('delivered', ({ recipient = '' }) => void accounts.set(recipient, 'asked'))
  correlator.on(['bounced', 'rejected'], ({ recipient = '' }) => {
    accounts.set(recipient, 'unreachable')
  })
  correlator.on('clicked', ({ recipient = '', machine }) => {
    // A scanner of links confirms nothing.
    if (!machine) accounts.set(recipient, 'confirmed')
  })

  return {
    async signUp(address: string): Promise<void> {
      accounts.set(address, 'waiting')
      await transporter.sendMail({
        from: 'Shop <shop@example.com>',
        to: address,
        subject: 'Confirm your address',
        html: '<a href="https://shop.example.com/confirm/1">Yes, it is mine</a>',
        tags: ['sign-up'],
      })
    },

    account: (address: string): Account | undefined => accounts.get(address),
  }
}
