import type { RemotePart } from '../../attachments.js'
import type { FormFile } from '../../form.js'
import type { MailPart } from '../../mime.js'
import { fields, parseJson, text, wholeNumber } from '../../payload.js'

/** The files of a mail, each with the id that its HTML speaks of it by. */
export function postedParts(
  files: readonly FormFile[],
  contentIdMap: string | undefined,
): MailPart[] {
  const contentIds = readContentIds(contentIdMap)
  return files.map(({ name, filename, contentType, content }) => ({
    filename,
    contentType,
    content,
    ...contentIdOf(contentIds, name),
  }))
}

/**
 * What `store()` tells of the attachments that it keeps. Whoever fetches one sends the API key along, so
 * that an address anywhere else than at Mailgun is not handed on.
 */
export function storedParts(
  json: string | undefined,
  contentIdMap: string | undefined,
): { parts: RemotePart[]; problems: string[] } {
  const contentIds = readContentIds(contentIdMap)
  const entries = json === undefined ? [] : parseJson(json)
  if (!Array.isArray(entries)) {
    return { parts: [], problems: ['the list of attachments could not be read'] }
  }
  const parts = entries.slice(0, mostParts).flatMap((entry: unknown): RemotePart[] => {
    const attachment = fields(entry)
    const url = text(attachment['url'])
    const filename = text(attachment['name'])
    if (url === undefined || !isMailguns(url)) return []
    return [
      {
        url,
        contentType: text(attachment['content-type']) ?? '',
        size: Math.max(wholeNumber(attachment['size']) ?? 0, 0),
        ...(filename !== undefined && { filename }),
        ...contentIdOf(contentIds, url),
      },
    ]
  })
  const lost = entries.length - parts.length
  const problem = `${lost} of the attachments are left out: they have no URL of Mailgun, or are too many`
  return { parts, problems: lost > 0 ? [problem] : [] }
}

const mostParts = 1000

/** Whether a URL is on Mailgun's API or a storage host, such as `storage-us-east4.api.mailgun.net`. */
export function isMailguns(address: string): boolean {
  if (!URL.canParse(address)) return false
  const { protocol, hostname } = new URL(address)
  return protocol === 'https:' && /(?:^|\.)mailgun\.net$/.test(hostname)
}

/**
 * `content-id-map` by what the ids stand for. It is read as pairs, since two attachments may have one
 * id, and JSON would keep the last of them; some have an empty one.
 */
function readContentIds(json: string | undefined): ReadonlyMap<string, string> {
  const contentIds = new Map<string, string>()
  for (const [, key = '', value = ''] of (json ?? '').matchAll(pairs)) {
    const contentId = unquoted(key)?.trim().replace(/^<|>$/g, '')
    const named = unquoted(value)
    if (contentId !== undefined && contentId !== '' && named !== undefined) {
      if (!contentIds.has(named)) contentIds.set(named, contentId)
    }
  }
  return contentIds
}

const pairs = /("(?:[^"\\]|\\.)*")\s*:\s*("(?:[^"\\]|\\.)*")/g

function unquoted(json: string): string | undefined {
  return text(parseJson(json))
}

function contentIdOf(
  contentIds: ReadonlyMap<string, string>,
  named: string,
): { contentId?: string } {
  const contentId = contentIds.get(named)
  return contentId === undefined ? {} : { contentId }
}
