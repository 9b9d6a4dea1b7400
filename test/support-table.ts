import type { Carried, MailField } from './mail-fields.js'

type Column = Readonly<Record<MailField, Carried<never>>>

/** The rows of the README's table, and the fields that each of them stands for. */
const rows: readonly (readonly [string, readonly MailField[]])[] = [
  [
    '`from`, `to`, `cc`, `bcc`: names of any letters, groups, IDN, duplicates',
    [
      'from',
      'to',
      'to, with a group',
      'to, at a domain with letters beyond ASCII',
      'cc',
      'bcc',
      'the same address in to, cc and bcc',
    ],
  ],
  ['`cc` and `bcc` without `to`', ['cc and bcc without to']],
  ['several `from`', ['several from']],
  ['`sender`, `replyTo`, also several', ['sender', 'replyTo', 'several replyTo']],
  ['`envelope`: other recipients than in the headers', ['envelope.to']],
  ['`envelope.from`: another return path', ['envelope.from']],
  [
    '`subject`, `text`, `html`: from files, URLs, streams',
    [
      'subject',
      'text',
      'html',
      'text and html',
      'html from a file',
      'html from a URL',
      'html from a stream',
    ],
  ],
  ['`amp`', ['amp']],
  ['`watchHtml`', ['watchHtml']],
  ['`icalEvent`', ['icalEvent']],
  ['`icalEvent` with a method', ['icalEvent with a method']],
  ['`alternatives`', ['alternatives']],
  ['`alternatives` that are no text', ['alternatives that are no text']],
  ['`raw`', ['raw', 'raw with an envelope']],
  [
    '`attachments` of any kind',
    [
      'attachments of a Buffer',
      'attachments with a name beyond ASCII',
      'attachments of a text',
      'attachments in an encoding',
      'attachments of a path',
      'attachments of a URL',
      'attachments of a stream',
      'attachments of a data URI',
      'attachments[].contentType',
      'attachments[].contentTransferEncoding',
    ],
  ],
  ['inline images: `cid`, `attachDataUrls`', ['attachments[].cid', 'attachDataUrls']],
  ['`cid` of what is no image', ['attachments[].cid of what is no image']],
  ['inline without a `cid`', ['attachments[].contentDisposition inline']],
  [
    "attachments' `headers`, `raw`, `filename: false`",
    ['attachments[].headers', 'attachments[].filename false', 'attachments[].raw'],
  ],
  [
    '`headers`, `list`, `priority`, `inReplyTo`, `references`',
    [
      'headers',
      'headers as a list',
      'headers, prepared',
      'headers with line breaks',
      'list',
      'priority',
      'inReplyTo',
      'references',
    ],
  ],
  ['a header several times', ['headers, a name several times']],
  ['`messageId`', ['messageId']],
  ['`date`', ['date']],
  ['`dkim`', ['dkim']],
  ['`dsn`', ['dsn']],
  [
    'plugins: `compile`, and `stream` for headers',
    ['a plugin of the step compile', 'a plugin of the step stream that sets a header'],
  ],
  ['plugins that change the document', ['a plugin of the step stream that changes the document']],
  ['`tags`, `metadata`', ['tags', 'metadata']],
  ['`templateId`, `templateData`', ['templateId', 'templateData']],
  ['`recipientData`', ['recipientData', 'recipientData with headers']],
  ['`sendAt`, `trackOpens`, `trackClicks`', ['sendAt', 'trackOpens', 'trackClicks']],
]

/** What the README says of each provider's ways with the fields of a message. */
export function supportTable(columns: Readonly<Record<string, Column>>): string {
  return table(
    ['', ...Object.keys(columns)],
    rows.map(([label, names]) => [
      label,
      ...Object.values(columns).map((column) => summary(names.map((name) => column[name]))),
    ]),
  )
}

function summary(ways: readonly Carried<never>[]): string {
  const having = (way: Carried<never>['as']): boolean => ways.some(({ as }) => as === way)
  if (having('refused')) return having('field') || having('MIME') ? 'in part' : 'refused'
  if (having('MIME')) return having('field') ? 'yes, some as MIME' : 'yes, as MIME'
  return 'yes'
}

/** Every field on its own, and the API field that it goes by. */
export function fieldTable(columns: Readonly<Record<string, Column>>): string {
  const [first] = Object.values(columns)
  return table(
    ['field', ...Object.keys(columns)],
    Object.keys(first ?? {}).map((name) => [
      name,
      ...Object.values(columns).map((column) => cell(Reflect.get(column, name))),
    ]),
  )
}

function cell(carried: Carried<never>): string {
  switch (carried.as) {
    case 'field':
      return `\`${carried.in}\``
    case 'MIME':
      return 'in a MIME document'
    case 'refused':
      return `refused: \`${carried.names}\``
  }
}

/** In Markdown, as the formatter leaves it. */
function table(head: readonly string[], body: readonly (readonly string[])[]): string {
  const lines = [head, ...body].map((cells) => cells.map((text) => text.replaceAll('|', '\\|')))
  const widths = head.map((_, column) =>
    Math.max(3, ...lines.map((cells) => cells[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((text, column) => text.padEnd(widths[column] ?? 0)).join(' | ')} |`
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`
  const [first = [], ...rest] = lines
  return [line(first), rule, ...rest.map(line)].join('\n')
}

/** A document with the table in the place that is marked for it. */
export function withTable(document: string, name: string, content: string): string {
  const [begin, end] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`]
  const start = document.indexOf(begin)
  const stop = document.indexOf(end)
  if (start < 0 || stop < start) throw new Error(`the document has no place for ${name}`)
  return `${document.slice(0, start + begin.length)}\n\n${content}\n\n${document.slice(stop)}`
}

/** Fields that no row of the README stands for. */
export const unlisted = (column: Column): string[] => {
  const listed = new Set<string>(rows.flatMap(([, names]) => names))
  return Object.keys(column).filter((name) => !listed.has(name))
}
