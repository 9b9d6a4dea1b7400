import { invalid } from '../../mail-options.js'
import type { Fields } from '../../payload.js'

const metadataBytes = 250
const tagLength = 50
const subjectLength = 998
// Its documents also speak of 10 MB; what is between them may go through.
const messageMegabytes = 25

export function checkedTags(tags: readonly string[]): readonly string[] {
  for (const tag of tags) {
    if (tag === '') throw invalid('Mandrill takes no empty tag')
    if (tag.startsWith('_')) throw invalid(`Mandrill takes no tag that begins with _: ${tag}`)
    if (tag.length > tagLength) {
      throw invalid(`Mandrill takes tags of up to ${tagLength} characters: ${tag}`)
    }
  }
  return tags
}

/**
 * What Mandrill does with more than this is told nowhere, so it is not tried.
 *
 * @param whose of one recipient, where it is not the same for all
 */
export function checkedMetadata(
  metadata: Record<string, string>,
  whose = '',
): Record<string, string> {
  const reserved = Object.keys(metadata).find((key) => key.startsWith('_'))
  if (reserved !== undefined) {
    throw invalid(`Mandrill takes no metadata whose name begins with _: ${reserved}`)
  }
  const size = Buffer.byteLength(JSON.stringify(metadata))
  if (size > metadataBytes) {
    throw invalid(
      `Mandrill takes ${metadataBytes} bytes of metadata as JSON, and with our id these${whose} are ${size}`,
    )
  }
  return metadata
}

export function checkSubject(subject = ''): void {
  if (subject.length > subjectLength) {
    throw invalid(
      `Mandrill takes a subject of up to ${subjectLength} characters, and this one has ${subject.length}`,
    )
  }
}

/** Looked at here, for an upload that is cut short by the server's limit has an unknown outcome. */
export function checkSize(bytes: number): void {
  if (bytes > messageMegabytes * 1024 * 1024) {
    throw invalid(
      `Mandrill takes ${messageMegabytes} MB with attachments in base64, and these are ${bytes} bytes`,
    )
  }
}

/** The SDK answers for it as it does for a broken connection, which leaves open what was sent. */
export function refuseUnwritable(name: string, value: Fields): void {
  try {
    JSON.stringify(value)
  } catch {
    throw invalid(`${name} cannot be written as JSON`)
  }
}

/** It could replace our id, by which events find their message. */
export function refuseMetadataHeader(names: readonly string[]): void {
  const given = names.find((name) => /^x-mc-metadata$/i.test(name))
  if (given !== undefined) {
    throw invalid(
      `the header ${given} cannot be given, for it could replace our id: use the option metadata`,
    )
  }
}
