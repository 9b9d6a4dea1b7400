import { type Command, InvalidArgumentError, Option } from 'commander'
import { backfill, type BackfillCommandOptions } from './commands/backfill.js'
import { type DashboardCommandOptions, serveDashboard } from './commands/dashboard.js'
import { dev, type DevOptions } from './commands/dev.js'
import { doctor, type DoctorOptions } from './commands/doctor.js'
import { explain, type ExplainOptions } from './commands/explain.js'
import { forget, type ForgetOptions } from './commands/forget.js'
import { listen, type ListenOptions } from './commands/listen.js'
import { prune, type PruneOptions } from './commands/prune.js'
import { replay, type ReplayOptions } from './commands/replay.js'
import { secret, type SecretOptions } from './commands/secret.js'
import { status, type StatusOptions } from './commands/status.js'
import {
  exportSuppressions,
  importSuppressions,
  type ImportOptions,
  type RemoveOptions,
  removeSuppressions,
  type SuppressionsOptions,
  syncSuppressions,
} from './commands/suppressions.js'
import { trigger, type TriggerOptions } from './commands/trigger.js'
import { verify, type VerifyOptions } from './commands/verify.js'
import { simulatedEventTypes } from '../simulator.js'
import { type Configuration, loadConfiguration } from './configuration.js'
import type { ExitCode, Io } from './io.js'
import { kits } from './providers.js'

/** Adds each command, with its options and its help. */
export function addCommands(program: Command, io: Io, ended: (code: ExitCode) => void): void {
  const configured = (): Promise<Configuration> =>
    loadConfiguration(io, program.opts<{ config?: string }>().config)
  const command = (usage: string, summary: string, more = '', parent = program): Command =>
    parent
      .command(usage)
      .summary(summary)
      .description(more === '' ? `${sentence(summary)}.` : more)
      .addOption(new Option('--json', 'one JSON object a line, for programs'))

  command(
    'dev',
    'a sandbox: providers on this machine to send to; begin here',
    'A sandbox: simulated providers on this machine. An application sends to them as to the real ones, and their signed webhooks go to it, or are taken here. It prints what to set, and what comes.',
  )
    .option(
      '--to <url>',
      'where your application takes webhooks, such as http://localhost:3000/webhooks',
    )
    .option('--port <number>', 'the first of four ports', wholeNumber, 8520)
    .action(async (options: DevOptions) => ended(await dev(options, io)))

  command(
    'trigger <provider> <event>',
    'posts a signed test event at your endpoint',
    `Posts a truly signed event at an endpoint, as the provider does, and says what was answered and what that means: whether it comes again. Providers: ${names(', ')}. Events: ${simulatedEventTypes.join(', ')}. It is signed with the key that is set, or else with that of the sandbox.`,
  )
    .option('--to <url>', 'the endpoint (default: as it is configured)')
    .option('--recipient <address>', 'whom it happens to', 'ann@example.com')
    .option('--message <trackingId>', 'of which message')
    .option('--provider-message-id <id>', "the provider's own id of the message")
    .action(async (provider: string, event: string, options: TriggerOptions) =>
      ended(await trigger(provider, event, options, await configured(), io)),
    )

  command(
    'listen',
    'a server that prints what comes, verified or why not',
    "A server on this machine that prints each webhook that comes: whether it is the provider's, or why not, and its events. With --forward it hands everything on, and answers what was answered there.",
  )
    .option('--port <number>', 'where it listens', wholeNumber, 8530)
    .option('--forward <url>', 'where everything is handed on to, such as http://localhost:3000')
    .action(async (options: ListenOptions) => ended(await listen(options, await configured(), io)))

  command(
    'verify [provider]',
    'sends a message and waits for its event',
    'Sends a message and waits for its event: the whole way, from the API to the store. The event comes in at the application, whose store is set, or here with --listen, or with --sandbox all of it stays on this machine.',
  )
    .option('--from <address>', 'who sends it')
    .option('--to <address>', 'who gets it')
    .option('--sandbox', 'with providers on this machine, and no account at all')
    .option('--listen <port>', 'take the webhook here, at this port', wholeNumber)
    .addOption(
      new Option('--event <type>', 'which event is waited for')
        .choices(['accepted', 'delivered', 'bounced'])
        .default('delivered'),
    )
    .option('--timeout <seconds>', 'for how long', wholeNumber, 120)
    .action(async (provider: string | undefined, options: VerifyOptions) =>
      ended(await verify(provider, options, await configured(), io)),
    )

  command(
    'doctor [provider]',
    'looks for what is set up wrongly',
    'Looks at the settings, asks the provider for the webhooks that are registered, compares clocks, and posts signed probes at the endpoint, as the provider does. Each fault has a code, what is wrong, and what to do. A probe is an event of probe@mailtrail.invalid, which the application stores as a foreign one.',
  )
    .option('--no-probe', 'post nothing signed to the endpoint')
    .action(async (provider: string | undefined, options: DoctorOptions) =>
      ended(await doctor(provider, options, await configured(), io)),
    )

  command(
    'explain <file>',
    'which provider’s a payload is, and which events it tells',
    "Says which provider's a payload is, which events it tells, and, where the key is set and the headers are given, whether it is signed. The file holds a body, or a whole request; with - it is read from the standard input.",
  )
    .option('--provider <name>', `one of ${names(', ')}`)
    .option(
      '--header <line>',
      'a header of the request, "name: value"; may be repeated',
      gathered,
      [],
    )
    .option('--target <path>', 'the path and query that it was posted to')
    .action(async (file: string, options: ExplainOptions) =>
      ended(await explain(file, options, await configured(), io)),
    )

  command('status <what>', 'what became of a message, by tracking id, or of an address’s')
    .option('--limit <number>', 'how many messages to an address', wholeNumber, 10)
    .action(async (what: string, options: StatusOptions) =>
      ended(await status(what, options, await configured(), io)),
    )

  command(
    'dashboard',
    'pages that show whether mail arrives, and where and why not',
    'Serves the dashboard of the store on this machine, to whoever has the password: one that is made anew each time, or that of MAILTRAIL_DASHBOARD_PASSWORD.',
  )
    .option('--port <number>', 'where it listens', wholeNumber, 8540)
    .action(async (options: DashboardCommandOptions) =>
      ended(await serveDashboard(options, await configured(), io)),
    )

  command(
    'replay [eventIds...]',
    'has dead letters told again, all or some',
    'Has events told again that listeners did not take in all their attempts, by the application, which goes on running: all of them, or some by their ids.',
  )
    .option('--list', 'list them instead')
    .action(async (eventIds: string[], options: ReplayOptions) =>
      ended(await replay(eventIds, options, await configured(), io)),
    )

  command('backfill <provider>', 'fetches events that no webhook has told')
    .requiredOption('--from <time>', 'those from then on: 2h, 3d, or a date')
    .option('--to <time>', 'up to then (default: now)')
    .action(async (provider: string, options: BackfillCommandOptions) =>
      ended(await backfill(provider, options, await configured(), io)),
    )

  const suppressions = program
    .command('suppressions')
    .summary('the addresses that are not mailed: import, export, remove, sync')
    .description('The addresses that are not mailed.')
  command(
    'export [file]',
    'writes them as CSV, by default to the standard output',
    '',
    suppressions,
  ).action(async (file: string | undefined) =>
    ended(await exportSuppressions(file, await configured(), io)),
  )
  command('import <file>', 'adds what stands in a CSV', '', suppressions)
    .option('--cause <cause>', 'why, where a row does not say it')
    .option('--provider <name>', 'whose list it is')
    .action(async (file: string, options: ImportOptions) =>
      ended(await importSuppressions(file, options, await configured(), io)),
    )
  command('remove <address>', 'takes an address off, so that it is mailed again', '', suppressions)
    .option('--cause <cause>', 'for this cause alone')
    .action(async (address: string, options: RemoveOptions) =>
      ended(await removeSuppressions(address, options, await configured(), io)),
    )
  command(
    'sync [provider]',
    "adds what stands on the providers' own lists",
    '',
    suppressions,
  ).action(async (provider: string | undefined, options: SuppressionsOptions) =>
    ended(await syncSuppressions(provider, options, await configured(), io)),
  )

  command('prune', 'removes what is older than it is to be kept')
    .option('--messages <time>', 'messages that were sent before, with their events: 90d')
    .option('--events <time>', 'events of no message that happened before: 7d')
    .option('--counts <time>', 'counts of days before: 2y')
    .action(async (options: PruneOptions) => ended(await prune(options, await configured(), io)))

  command(
    'forget <address>',
    'takes an address out of everything that is stored',
    'Takes an address out of everything that is stored, as its owner may ask for: messages, events, payloads, dead letters and suppressions. What became of its messages and what was counted stays.',
  ).action(async (address: string, options: ForgetOptions) =>
    ended(await forget(address, options, await configured(), io)),
  )

  command(
    'secret [kind]',
    'makes a secret',
    'Makes a secret: guard (for querySecret and basicAuth, the default), forwarding (for forwardTo), or probe (a key pair: set its public half beside the key of the provider, and its private half where the doctor runs).',
  ).action((kind: string | undefined, options: SecretOptions) =>
    ended(secret(kind ?? 'guard', options, io)),
  )
}

const names = (between: string): string => kits.map(({ provider }) => provider).join(between)

const sentence = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1)

const gathered = (line: string, before: string[]): string[] => [...before, line]

function wholeNumber(text: string): number {
  const number = Number(text)
  if (Number.isInteger(number) && number >= 0 && number < 65_536) return number
  throw new InvalidArgumentError('It is a whole number from 0 to 65535.')
}
