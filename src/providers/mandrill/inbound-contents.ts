import { isAscii } from 'node:buffer'
import type { MailHeader } from '../../event.js'
import type { ReceivedMail } from '../../inbound-mail.js'
import { type MailPart, type MimeMail, readMime } from '../../mime.js'
import { type Fields, fields, flag, isFields, text, texts } from '../../payload.js'

type Contents = Pick<ReceivedMail, 'headers' | 'text' | 'html' | 'parts' | 'problems'>

/** How much is read of the sources of one batch. */
export interface SourceBudget {
  /** Whether there is room for this one, which is taken then. */
  allows(source: Buffer): boolean
}

// A line of text takes some 15 us to read, so that these take a second or two. The 64 MB that anybody may
// fill with mails of short lines would take minutes, and Mandrill would come again for the answer.
const mostShortLines = 100_000
const shortLine = 60

/** By lines rather than by time, for a mail that comes again has to be read as it was before. */
export function sourceBudget(): SourceBudget {
  let left = mostShortLines
  return {
    allows(source) {
      const lines = shortLinesOf(source)
      if (lines > left) return false
      left -= lines
      return true
    },
  }
}

function shortLinesOf(source: Buffer): number {
  let lines = 0
  for (let start = 0, end = 0; end >= 0; start = end + 1) {
    end = source.indexOf('\n', start)
    if (end - start < shortLine) lines += 1
  }
  return lines
}

/** What a mail consists of: by its source, or as Mandrill has taken it apart where that says nothing. */
export async function readContents(message: Fields, budget: SourceBudget): Promise<Contents> {
  const taken = takenApart(message)
  const source = Buffer.from(text(message['raw_msg']) ?? '')
  if (source.length === 0) return taken
  if (!budget.allows(source)) return { ...taken, problems: [tooMuch] }
  const mail = await readMime(source)
  // A line that is no header counts as the name of one.
  const isMail = mail.headers.some(({ value }) => value !== '')
  // JSON has made Unicode of all bytes beyond ASCII, whatever charset the source says they have.
  const [first, second] = isMail && isAscii(source) ? [mail, taken] : [taken, mail]
  return {
    headers: isMail ? mail.headers : taken.headers,
    text: first.text ?? second.text,
    html: first.html ?? second.html,
    parts: partsOf(mail, taken),
    problems: mail.problems,
  }
}

const tooMuch =
  'the MIME source is one too many of its batch: the mail is told as Mandrill has taken it apart'

/** What could not be taken apart is attached as a whole, beside what Mandrill could make of it. */
function partsOf(mail: MimeMail, taken: Contents): Contents['parts'] {
  if (mail.problems.length > 0) return [...taken.parts, ...mail.parts]
  return mail.parts.length > 0 ? mail.parts : taken.parts
}

function takenApart(message: Fields): Contents {
  return {
    headers: headersOf(fields(message['headers'])),
    text: text(message['text']),
    html: text(message['html']),
    parts: [
      ...filesOf(message['attachments']).map(attachmentOf),
      ...filesOf(message['images']).map(imageOf),
    ],
  }
}

/** A name that repeats has a list. */
function headersOf(headers: Fields): MailHeader[] {
  return Object.entries(headers).flatMap(([name, value]) =>
    texts(value).map((one) => ({ name, value: one })),
  )
}

interface PostedFile {
  name: string
  contentType: string
  /** As it was posted, in base64 or not. */
  content: string
  base64?: boolean | undefined
}

/** An object by names, an empty list for none; the name in a file goes before its key. */
function filesOf(value: unknown): PostedFile[] {
  const files: [string, unknown][] = Array.isArray(value)
    ? value.map((file) => ['', file])
    : Object.entries(fields(value))
  return files.flatMap(([key, file]) => {
    if (!isFields(file)) return []
    const { name, type, content, base64 } = file
    return {
      name: text(name) ?? key,
      contentType: text(type) ?? '',
      content: typeof content === 'string' ? content : '',
      base64: flag(base64),
    }
  })
}

function attachmentOf(file: PostedFile): MailPart {
  const { name, contentType, content, base64 = isBase64(file) } = file
  return {
    filename: name,
    contentType,
    content: Buffer.from(content, base64 ? 'base64' : 'utf8'),
  }
}

/** Images do not say so and always are; their names are what the HTML speaks of as `cid:`. */
function imageOf({ name, contentType, content }: PostedFile): MailPart {
  const contentId = name.replace(/^<|>$/g, '')
  return { filename: name, contentType, contentId, content: Buffer.from(content, 'base64') }
}

/** By its looks, for old payloads do not say it, and have both kinds. */
function isBase64({ contentType, content }: PostedFile): boolean {
  return (
    !/^\s*text\//i.test(contentType) &&
    Buffer.from(content, 'base64').toString('base64') === content.trim()
  )
}
