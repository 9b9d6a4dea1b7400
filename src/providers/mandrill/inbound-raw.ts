import { type Fields, isFields } from '../../payload.js'

// The senders of mails have a say in it: how many files there are, and how long a name is.
const longestText = 10_000
const mostKept = 100_000

const carried = new Set(['raw_msg', 'text', 'html', 'headers'])
const files = new Set(['attachments', 'images'])

/** An inbound entry without the contents that the event's mail carries, and cut where it is very long. */
export function withoutContents(raw: Fields): unknown {
  return cut(mapped(raw, (name, value) => (name === 'msg' ? withoutMail(value) : value)))
}

function withoutMail(message: unknown): unknown {
  if (!isFields(message)) return message
  const rest = Object.entries(message).filter(([name]) => !carried.has(name))
  return mapped(Object.fromEntries(rest), (name, value) =>
    files.has(name) ? withoutFiles(value) : value,
  )
}

function withoutFiles(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutContent)
  return isFields(value) ? mapped(value, (_name, file) => withoutContent(file)) : value
}

function withoutContent(file: unknown): unknown {
  if (!isFields(file)) return file
  const { content: _content, ...rest } = file
  return rest
}

function mapped(value: Fields, change: (name: string, value: unknown) => unknown): Fields {
  const entries = Object.entries(value).map(([name, one]) => [name, change(name, one)] as const)
  return Object.fromEntries(entries)
}

/** With texts up to some length, and no more of all than there is room for. */
function cut(whole: unknown): unknown {
  let room = mostKept
  const take = (text: string): string => {
    const taken = text.slice(0, Math.min(longestText, Math.max(room, 0)))
    room -= taken.length
    // A cut may go through a character.
    return taken.toWellFormed()
  }
  const copy = (value: unknown): unknown => {
    room -= 1
    if (typeof value === 'string') return take(value)
    if (Array.isArray(value)) return value.flatMap((one) => (room > 0 ? [copy(one)] : []))
    if (!isFields(value)) return value
    const entries = Object.entries(value).flatMap(([name, one]) =>
      room > 0 ? [[take(name), copy(one)] as const] : [],
    )
    return Object.fromEntries(entries)
  }
  return copy(whole)
}
