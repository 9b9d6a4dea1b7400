import { createHash, randomUUID } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { AttachmentKeeper } from './attachments.js'
import { fields, text } from './payload.js'

/**
 * Keeps attachments in a folder, each under the SHA-256 of its content: the same content is kept once,
 * and no sender has a say in the name of a file. It is on disk before the mail counts as stored.
 */
export function attachmentFolder(folder: string): AttachmentKeeper {
  const whole = resolve(folder)
  return async (content) => {
    await mkdir(whole, { recursive: true, mode: 0o700 })
    const unfinished = join(whole, `.${randomUUID()}`)
    try {
      const hash = createHash('sha256')
      const file = await open(unfinished, 'wx', 0o600)
      try {
        for await (const piece of content) {
          hash.update(piece)
          // Not write(), which may end before all of it is written.
          await file.appendFile(piece)
        }
        await file.sync()
      } finally {
        await file.close()
      }
      const location = join(whole, hash.digest('hex'))
      await rename(unfinished, location)
      await syncFolder(whole)
      return location
    } finally {
      await rm(unfinished, { force: true })
    }
  }
}

/** Without it the name of a file may be gone after a power cut, though not its content. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (!withoutFolderSync.has(text(fields(error)['code']) ?? '')) throw error
  }
}

// What systems say that open or sync no folders. Anything else is a disk that has not kept it.
const withoutFolderSync: ReadonlySet<string> = new Set(['EACCES', 'EINVAL', 'EISDIR', 'EPERM'])
