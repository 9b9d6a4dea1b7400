import { texts } from '../payload.js'
import type { Printer } from './io.js'
import { actions, type SandboxProvider } from './sandbox-providers.js'

/** What a person who has read nothing needs to send a message into the sandbox. */
export function introduction(
  printer: Printer,
  { providers, target, own }: { providers: SandboxProvider[]; target: string; own: boolean },
): void {
  const variables = providers.flatMap(({ kit, settings }) =>
    kit.settings.flatMap(({ name, variable }) => {
      const [value] = texts(settings[name] ?? [])
      // What signs is the provider's; where it is another key it is no business of the application.
      return value === undefined || name === 'privateKey' ? [] : [{ variable, value }]
    }),
  )
  printer.record({
    kind: 'ready',
    target,
    providers: Object.fromEntries(providers.map(({ kit, running }) => [kit.provider, running.url])),
    environment: Object.fromEntries(variables.map(({ variable, value }) => [variable, value])),
  })
  const [first] = providers
  if (!first) return
  const { factory, entry, sdk } = first.kit.sending
  const others = providers
    .slice(1)
    .map(({ kit: { sending } }) => `${sending.factory} of ${sending.entry} (${sending.sdk})`)

  printer.line(printer.bold('The sandbox is ready. Nothing leaves this machine.'))
  printer.line()
  for (const { kit, running } of providers) {
    printer.line(`  ${kit.title.padEnd(9)} ${running.url}`)
  }
  const taking = own
    ? `${target}  (taken here; with --to URL they go to your application)`
    : `${target}  (your application)`
  printer.line(`  ${'Webhooks'.padEnd(9)} ${taking}`)
  printer.line()
  printer.line(printer.bold('1. In another terminal, say where the providers are, and their keys:'))
  printer.line()
  for (const { variable, value } of variables) printer.line(`    export ${variable}='${value}'`)
  printer.line()
  printer.line(printer.bold('2. Send a message. This is a whole program, send.mjs:'))
  printer.line()
  for (const line of program(factory, entry)) printer.line(`    ${line}`)
  printer.line()
  printer.line(printer.bold('3. Run it:'))
  printer.line()
  printer.line(`    npm install mailtrail nodemailer ${sdk}`)
  printer.line('    node send.mjs')
  printer.line()
  if (others.length > 0) printer.line(`Or, in its place: ${others.join(', ')}.`)
  printer.line('What comes is printed below. Then press, or write and press Enter:')
  printer.line()
  for (const { key, words } of actions) printer.line(`  ${key}  the last message ${words}`)
  printer.line('  q  end')
  printer.line()
}

const program = (factory: string, entry: string): string[] => [
  "import nodemailer from 'nodemailer'",
  `import { ${factory} } from '${entry}'`,
  '',
  `const transporter = nodemailer.createTransport(${factory}())`,
  'const info = await transporter.sendMail({',
  "  from: 'shop@example.com',",
  "  to: 'ann@example.com',",
  "  subject: 'Hello',",
  "  text: 'Hello from the sandbox',",
  '})',
  'console.log(info.response, info.trackingId)',
]
