import { Command, CommanderError } from 'commander'
import { ConfigurationError, messageOf, UsageError } from '../errors.js'
import { version } from '../version.js'
import { addCommands } from './command-list.js'
import { createPrinter, type ExitCode, type Io } from './io.js'
import { kits } from './providers.js'

/**
 * Runs a command line.
 *
 * @param words what stands behind `mailtrail`
 */
export async function run(words: readonly string[], io: Io): Promise<ExitCode> {
  let code: ExitCode = 0
  const program = createProgram(io)
  addCommands(program, io, (ended) => {
    code = ended
  })
  if (words.length === 0) {
    program.outputHelp()
    return 0
  }
  try {
    await program.parseAsync([...words], { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    const printer = createPrinter(io.stderr, io.env)
    printer.line(`${printer.red('error')}: ${wordsOf(error, io)}`)
    return error instanceof UsageError || error instanceof ConfigurationError ? 2 : 1
  }
}

/** In one line; what fails because it was ended is no failure to tell of. */
function wordsOf(error: unknown, { signal }: Io): string {
  return signal.aborted
    ? 'it was ended before it was done'
    : messageOf(error).replace(/\s*\n\s*/g, ' ')
}

function createProgram(io: Io): Command {
  return new Command('mailtrail')
    .description(
      `Mail through ${kits.map(({ title }) => title).join(', ')}: a sandbox, and what became of each message.`,
    )
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
    })
    .showHelpAfterError('(mailtrail help says what there is)')
    .addHelpText('after', closing)
}

/** The variables that are looked for, a line for what is of all and one for each provider. */
const settings = (): string =>
  [
    ['MAILTRAIL_STORE', 'MAILTRAIL_URL'],
    ...kits.map((kit) => kit.settings.map(({ variable }) => variable)),
  ]
    .map((variables) => `  ${variables.join(' ')}\n`)
    .join('')

const closing = `
Begin with:
  $ mailtrail dev

Settings come from the environment, or from mailtrail.config.js, under names that docs/cli.md has:
${settings()}
Exit codes: 0 fine, 1 a fault was found or something failed, 2 used wrongly.`
