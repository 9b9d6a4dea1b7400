import type { Readable } from 'node:stream'
import sanitizeFilename from 'sanitize-filename'
import { streamOf } from './byte-stream.js'
import { messageOf, UnavailableError } from './errors.js'
import type { AttachmentContent, InboundAttachment } from './event.js'
import type { MailPart } from './mime.js'

/** What is known of an attachment while its content comes. */
export type AttachmentHead = Omit<InboundAttachment, 'content'>

/**
 * Keeps the content of an attachment, and resolves to where: a path, a key, a URL. It is called before
 * the mail is stored, and again for the same mail when a provider posts it again, so the same content
 * should end at the same place. When it rejects, the provider posts the mail again later.
 */
export type AttachmentKeeper = (content: Readable, head: AttachmentHead) => Promise<string>

/** An attachment that stayed with the provider. */
export interface RemotePart {
  filename?: string
  contentType: string
  contentId?: string
  size: number
  url: string
}

const mostAttachments = 100

/** How many bytes all attachments of a mail together may add to an event. */
const mostEmbedded = 2 * 1024 * 1024

/** How long keeping one may take, in ms. */
const keepTimeout = 60_000

/** Puts the contents where they are to be, and tells parts that the HTML speaks of from the others. */
export async function keepAttachments(
  parts: readonly (MailPart | RemotePart)[],
  html: string | undefined,
  keep: AttachmentKeeper | undefined,
): Promise<{ attachments: InboundAttachment[]; inline: Record<string, InboundAttachment> }> {
  const attachments: InboundAttachment[] = []
  const inline = new Map<string, InboundAttachment>()
  let room = mostEmbedded
  for (const [index, part] of parts.entries()) {
    const head = headOf(part)
    const content = await place(part, head, index, room, keep)
    if (content.kind === 'embedded') room -= head.size
    const attachment = { ...head, content }
    const { contentId } = head
    // Some programs give every file an id: only those that the HTML speaks of belong to it.
    if (contentId !== undefined && !inline.has(contentId) && speaksOf(html, contentId)) {
      inline.set(contentId, attachment)
    } else attachments.push(attachment)
  }
  return { attachments, inline: Object.fromEntries(inline) }
}

function speaksOf(html: string | undefined, contentId: string): boolean {
  return (
    html !== undefined &&
    (html.includes(`cid:${contentId}`) || html.includes(`cid:${encodeURIComponent(contentId)}`))
  )
}

async function place(
  part: MailPart | RemotePart,
  head: AttachmentHead,
  index: number,
  room: number,
  keep: AttachmentKeeper | undefined,
): Promise<AttachmentContent> {
  if ('url' in part) return { kind: 'remote', url: part.url }
  if (index >= mostAttachments) return { kind: 'omitted', reason: 'too-many' }
  const { content } = part
  if (keep) return { kind: 'kept', location: await keptAt(keep, content, head) }
  if (content.length > room) return { kind: 'omitted', reason: 'too-large' }
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.length)
  return { kind: 'embedded', base64: bytes.toString('base64') }
}

async function keptAt(
  keep: AttachmentKeeper,
  content: Uint8Array,
  head: AttachmentHead,
): Promise<string> {
  const stream = streamOf(content)
  const late = AbortSignal.timeout(keepTimeout)
  try {
    const location: unknown = await Promise.race([keep(stream, head), whenAborted(late)])
    if (typeof location === 'string' && location !== '') return location
    throw new Error('it resolved to no place')
  } catch (error) {
    throw new UnavailableError(`an attachment could not be kept: ${messageOf(error)}`, {
      cause: error,
    })
  } finally {
    stream.destroy()
  }
}

function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error(`it took over ${keepTimeout} ms`)), {
      once: true,
    })
  })
}

function headOf(part: MailPart | RemotePart): AttachmentHead {
  const { contentType, contentId } = part
  const filename = cleanFilename(part.filename)
  return {
    ...(filename !== undefined && { filename }),
    contentType: cleanType(contentType),
    size: 'url' in part ? part.size : part.content.length,
    ...(contentId !== undefined && contentId !== '' && { contentId: contentId.slice(0, 998) }),
  }
}

/** A name that may be a file's: no folder, nothing unseen, nothing that a system keeps for itself. */
export function cleanFilename(given: string | undefined): string | undefined {
  const last = given?.slice(-4096).split(/[/\\]/).at(-1) ?? ''
  // What turns the direction of writing makes `exe.pdf` of `fdp.exe`.
  const clean = sanitizeFilename(last.toWellFormed().replace(/\p{Cf}/gu, ''), { replacement: '_' })
  // A name of dots alone is a folder's, and one that begins with a dot is hidden.
  const visible = clean.trim().replace(/^\.+/, '')
  return visible === '' ? undefined : visible
}

function cleanType(given: string): string {
  const [type = ''] = given.toLowerCase().split(';')
  return /^[\w!#$&^.+-]{1,127}\/[\w!#$&^.+-]{1,127}$/.test(type.trim())
    ? type.trim()
    : 'application/octet-stream'
}
