import { buffer } from 'node:stream/consumers'
import { Readable } from 'node:stream'
import { type NodemailerMail, nodesOf } from './nodemailer-mail.js'
import { type Fields, fields, isFields } from './payload.js'
import { contentFields, contentLists } from './resolved-mail.js'

/**
 * Reads every stream of a message into memory, for it may be needed again: by the next provider, and as
 * fields after it was a document. Both what Nodemailer composes and the fields have the bytes then.
 */
export async function holdStreams(mail: NodemailerMail): Promise<void> {
  const read = new Map<Readable, Promise<Buffer>>()
  const bytesOf = (stream: Readable): Promise<Buffer> => {
    const known = read.get(stream) ?? buffer(stream)
    read.set(stream, known)
    return known
  }
  for (const node of nodesOf(mail.message)) {
    const content: unknown = Reflect.get(node, 'content')
    if (content instanceof Readable) Reflect.set(node, 'content', await bytesOf(content))
  }
  mail.data = await withoutStreams(fields(mail.data), bytesOf)
}

async function withoutStreams(
  data: Fields,
  bytesOf: (stream: Readable) => Promise<Buffer>,
): Promise<Fields> {
  const held = async (value: unknown): Promise<unknown> => {
    if (value instanceof Readable) return bytesOf(value)
    const content = isFields(value) ? value['content'] : undefined
    return content instanceof Readable
      ? { ...fields(value), content: await bytesOf(content) }
      : value
  }
  const copy = { ...data }
  for (const name of contentFields) {
    if (name in copy) copy[name] = await held(copy[name])
  }
  for (const name of contentLists) {
    const list = copy[name]
    if (Array.isArray(list)) copy[name] = await Promise.all(list.map(held))
  }
  return copy
}
