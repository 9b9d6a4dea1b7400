import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { ConfigurationError, messageOf } from '../errors.js'
import { version } from '../version.js'
import { dev, type DevOptions } from './commands/dev.js'
import { explain, type ExplainOptions } from './commands/explain.js'
import { status, type StatusOptions } from './commands/status.js'
import { trigger, type TriggerOptions } from './commands/trigger.js'
import { type Configuration, loadConfiguration } from './configuration.js'
import { createPrinter, type ExitCode, type Io, UsageError } from './io.js'
import { kits } from './providers.js'

/**
 * Runs a command line.
 *
 * @param words what stands behind `mailtrail`
 */
export async function run(words: readonly string[], io: Io): Promise<ExitCode> {
  let code: ExitCode = 0
  const program = createProgram(io, (ended) => {
    code = ended
  })
  try {
    await program.parseAsync([...words], { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    const { red } = createPrinter(io.stderr, io.env)
    io.stderr.write(`${red('error')}: ${messageOf(error)}\n`)
    return error instanceof UsageError || error instanceof ConfigurationError ? 2 : 1
  }
}

const titles = kits.map(({ title }) => title).join(', ')
const providerNames = kits.map(({ provider }) => provider).join(', ')

function createProgram(io: Io, ended: (code: ExitCode) => void): Command {
  const program = new Command('mailtrail')
    .description(`Mail through ${titles}: a sandbox, and what became of each message.`)
    .version(version, '-V, --version')
    .option(
      '-c, --config <file>',
      'a configuration file (default: mailtrail.config.js, .mjs, .cjs or .json here, if there is one)',
    )
    .helpCommand('help [command]', 'what a command does, and its options')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .showHelpAfterError('(mailtrail help says what there is)')
    .addHelpText('after', closing)
    .action(() => {
      program.outputHelp()
    })

  const configured = async (): Promise<Configuration> =>
    loadConfiguration(io, program.opts<{ config?: string }>().config)
  const command = (usage: string, summary: string, description = summary): Command =>
    program
      .command(usage)
      .summary(summary)
      .description(description)
      .exitOverride()
      .addOption(new Option('--json', 'one JSON object a line, for programs'))

  command('dev', 'a sandbox: providers on this machine to send to; begin here', devHelp)
    .option(
      '--to <url>',
      'where your application takes webhooks, such as http://localhost:3000/webhooks',
    )
    .option('--port <number>', 'the first of four ports', wholeNumber, 8520)
    .action(async (options: DevOptions) => ended(await dev(options, io)))

  command('trigger <provider> <event>', 'posts a signed test event at your endpoint', triggerHelp)
    .option('--to <url>', 'the endpoint (default: as it is configured)')
    .option('--recipient <address>', 'whom it happens to', 'ann@example.com')
    .option('--message <trackingId>', 'of which message')
    .option('--provider-message-id <id>', "the provider's own id of the message")
    .action(async (provider: string, event: string, options: TriggerOptions) =>
      ended(await trigger(provider, event, options, await configured(), io)),
    )

  command('explain <file>', 'which provider’s a payload is, and which events it tells', explainHelp)
    .option('--provider <name>', `one of ${providerNames}`)
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
  return program
}

const gathered = (line: string, before: string[]): string[] => [...before, line]

function wholeNumber(text: string): number {
  const number = Number(text)
  if (Number.isInteger(number) && number >= 0 && number < 65_536) return number
  throw new InvalidArgumentError('It is a whole number.')
}

const closing = `
Begin with:
  $ mailtrail dev

Settings come from the environment and from mailtrail.config.js; docs/cli.md has them.
Exit codes: 0 fine, 1 a fault was found or something failed, 2 used wrongly.`

const devHelp = `A sandbox: simulated providers on this machine. An application sends to them as to the real ones, and their signed webhooks go to it, or are taken here. It prints what to set, and what comes.`

const triggerHelp = `Posts a truly signed event at an endpoint, as the provider does, and says what was answered and what that means: whether it comes again. Providers: ${providerNames}. It is signed with the key that is set, or else with that of the sandbox.`

const explainHelp = `Says which provider's a payload is, which events it tells, and, where the key is set and the headers are given, whether it is signed. With - the payload is read from the standard input.`
