import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ParsedEvent } from '../../../src/index.js'

const fixtures = join(__dirname, 'fixtures')

/** A request as it stands in a file. */
export interface CapturedRequest {
  name: string
  path: string
  /** By lower-case name. */
  headers: Record<string, string>
  body: Buffer
  /** The events that it is read as, without the entries they came from. */
  events: unknown
}

function readRequest(name: string): CapturedRequest {
  const bytes = readFileSync(join(fixtures, `${name}.request.http`))
  const end = bytes.indexOf('\n\n')
  const [start = '', ...lines] = bytes.subarray(0, end).toString().split('\n')
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
  })
  return {
    name,
    path: start.split(' ')[1] ?? '',
    headers: Object.fromEntries(headers),
    body: bytes.subarray(end + 2),
    events: JSON.parse(readFileSync(join(fixtures, `${name}.events.json`), 'utf8')),
  }
}

const all = readdirSync(fixtures)
  .flatMap((file) => /^(.+)\.request\.http$/.exec(file)?.[1] ?? [])
  .map(readRequest)

/** The captured requests that went to a path with this end. */
export function capturedAt(end: string): CapturedRequest[] {
  return all.filter(({ path }) => path.endsWith(end))
}

/** The body of one captured request. */
export function capturedBody(name: string): Buffer {
  for (const request of all) if (request.name === name) return request.body
  throw new Error(`nothing was captured as ${name}`)
}

/** Events as they would stand in a file: without the entries they came from, and dates as text. */
export function written(events: readonly ParsedEvent[]): unknown {
  return JSON.parse(JSON.stringify(events.map(({ raw: _raw, ...event }) => event)))
}
