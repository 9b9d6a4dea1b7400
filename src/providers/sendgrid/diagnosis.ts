import { readEntries } from '../../payload.js'

/** Why a signature fits none of the keys. */
export type Mismatch = 'truncated' | 'reserialised' | 'bad-signature'

// What anybody may post must not cost much more than saying no.
const largestBody = 1024 * 1024

/**
 * Finds out whether a signature that does not fit a body fits what the body was before something on
 * its way changed it.
 *
 * @param fits whether the signature fits these bytes
 */
export function diagnose(body: Buffer, fits: (body: Buffer) => boolean): Mismatch {
  if (body.length > largestBody) return 'bad-signature'
  if (withOtherEnds(body).some(fits)) return 'truncated'
  return layouts(body).some(fits) ? 'reserialised' : 'bad-signature'
}

/** SendGrid ends a batch with CR LF; who trims it, or reads it by lines, loses that. */
function withOtherEnds(body: Buffer): Buffer[] {
  const trimmed = Buffer.from(body.toString('latin1').trim(), 'latin1')
  return [
    Buffer.concat([body, Buffer.from('\r\n')]),
    Buffer.concat([body, Buffer.from('\n')]),
    Buffer.concat([trimmed, Buffer.from('\r\n')]),
  ]
}

/** A batch as SendGrid writes it: compact, each event on a line of its own. */
function layouts(body: Buffer): Buffer[] {
  try {
    const batch = readEntries('the body', body.toString('utf8'))
    if (batch.kind === 'refused') return []
    const written = `[${batch.entries.map((entry) => JSON.stringify(entry)).join(',\r\n')}]\r\n`
    // Its test button writes with Go's encoder, which escapes what HTML could take for a tag.
    const escaped = written.replace(/[<>&]/g, (character) => escapes[character] ?? character)
    return [written, ...(escaped === written ? [] : [escaped])].map((text) => Buffer.from(text))
  } catch {
    // Nested deeper than can be written.
    return []
  }
}

const escapes: Readonly<Record<string, string>> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
}
