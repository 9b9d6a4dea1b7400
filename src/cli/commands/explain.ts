import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { messageOf, UsageError } from '../../errors.js'
import type { AnyEvent, ParsedEvent } from '../../event.js'
import { toIncoming } from '../../matching.js'
import type { Payload, ProviderKit } from '../../provider-kit.js'
import type { Configuration } from '../configuration.js'
import { dayAndTime, inWords } from '../event-words.js'
import { createPrinter, type ExitCode, type Io, type Printer } from '../io.js'
import { kitNamed, kits } from '../providers.js'
import { type Verification, verify } from '../verification.js'

export interface ExplainOptions {
  provider?: string
  /** As `name: value`. */
  header: string[]
  /** The path and query that it was posted to. */
  target?: string
  json?: boolean
}

/** Says which provider's a payload is, which events it tells, and whether it is signed. */
export async function explain(
  file: string,
  options: ExplainOptions,
  configuration: Configuration,
  io: Io,
): Promise<ExitCode> {
  const printer = createPrinter(io.stdout, io.env, options.json)
  const captured = asRequest(await readPayload(file, io))
  const headers = headersOf([...captured.headers, ...options.header])
  const { body } = captured
  const target = options.target ?? captured.target
  const payload: Payload = { body, contentType: headers.get('content-type') ?? looksLike(body) }
  const asked = options.provider === undefined ? kits : [kitNamed(options.provider)]
  const found = await recognised(asked, payload)
  if (!found) {
    printer.record({ provider: null, events: [] })
    printer.line(`This is a webhook of none of ${asked.map(({ title }) => title).join(', ')}.`)
    return 1
  }
  const { kit, parsed } = found
  const now = io.now()
  const events = parsed.map((event) => toIncoming(kit.provider, event, now).event)
  const verification = await verify(kit, configuration.settings(kit), payload, headers, target, now)
  printer.record({ provider: kit.provider, ...verification, events })
  tell(printer, kit, events, verification)
  return verification.verified === false ? 1 : 0
}

/** A whole request, as tools that record them write it, or a body alone. */
function asRequest(bytes: Buffer): { headers: string[]; target: string; body: Buffer } {
  const head = /^POST (\S+) HTTP\/[\d.]+\r?\n([\s\S]*?)\r?\n\r?\n/.exec(bytes.toString('latin1'))
  if (!head) return { headers: [], target: '/', body: bytes }
  const [whole, target = '/', lines = ''] = head
  return { headers: lines.split(/\r?\n/), target, body: bytes.subarray(whole.length) }
}

async function readPayload(file: string, io: Io): Promise<Buffer> {
  if (file === '-') return buffer(io.stdin)
  try {
    return readFileSync(resolve(io.cwd, file))
  } catch (error) {
    throw new UsageError(`${file} could not be read: ${messageOf(error)}`)
  }
}

function headersOf(given: readonly string[]): Map<string, string> {
  return new Map(
    given.map((line) => {
      const [, name, value] = /^([\w-]+):\s*(.*)$/.exec(line) ?? []
      if (name !== undefined && value !== undefined) return [name.toLowerCase(), value]
      throw new UsageError('a --header is written as "name: value"')
    }),
  )
}

const looksLike = (body: Buffer): string =>
  /^\s*[[{]/.test(body.toString('latin1', 0, 100))
    ? 'application/json'
    : 'application/x-www-form-urlencoded'

async function recognised(
  asked: readonly ProviderKit[],
  payload: Payload,
): Promise<{ kit: ProviderKit; parsed: ParsedEvent[] } | undefined> {
  for (const kit of asked) {
    const parsed = await kit.read(payload)
    if (parsed) return { kit, parsed }
  }
  return undefined
}

function tell(
  printer: Printer,
  { title }: ProviderKit,
  events: readonly AnyEvent[],
  verification: Verification,
): void {
  const count = events.length === 1 ? 'one event' : `${events.length} events`
  printer.line(`${title}, ${count}.`)
  if (verification.verified === true) printer.line(printer.green('Its signature is right.'))
  else if (verification.verified === false) {
    printer.line(printer.red(`Refused (${verification.reason}): ${verification.detail}.`))
  } else printer.line(printer.yellow(`Not verified: ${verification.detail}.`))
  for (const event of events) {
    const { type, providerEvent, occurredAt, providerMessageId, metadata, tags } = event
    printer.line()
    printer.line(`${printer.bold(type)}  (${title}: ${providerEvent || 'no name'})`)
    printer.line(`  ${dayAndTime(occurredAt)}  ${inWords(event)}`)
    if (providerMessageId !== undefined) printer.line(`  message ${providerMessageId}`)
    if (tags.length > 0) printer.line(`  tags ${tags.join(', ')}`)
    for (const [name, value] of Object.entries(metadata)) printer.line(`  ${name}: ${value}`)
  }
}
