/** What Inbound Parse says of its body; the boundary was the same in all captures. */
export const formType = 'multipart/form-data; boundary=xYzZY'

/** A field, or a file where it has a type. */
export interface FormPart {
  name: string
  value: string | Buffer
  filename?: string
  type?: string
}

/** A form as Inbound Parse posts it. */
export function inboundForm(...parts: FormPart[]): Buffer {
  return Buffer.concat([
    ...parts.flatMap(({ name, value, filename, type }) => [
      Buffer.from(`--xYzZY\r\nContent-Disposition: form-data; name="${name}"`),
      Buffer.from(filename === undefined ? '' : `; filename="${filename}"`),
      Buffer.from(type === undefined ? '' : `\r\nContent-Type: ${type}`),
      Buffer.from('\r\n\r\n'),
      Buffer.from(value),
      Buffer.from('\r\n'),
    ]),
    Buffer.from('--xYzZY--\r\n'),
  ])
}

/** A form of fields alone. */
export function fieldsForm(fields: Record<string, string | Buffer>): Buffer {
  return inboundForm(...Object.entries(fields).map(([name, value]) => ({ name, value })))
}

/** A reply with the least that Inbound Parse posts of one. */
export const reply = {
  headers: [
    'From: Ann <ann@example.com>',
    'To: box@in.example.com',
    'Subject: Re: Order',
    'Message-ID: <reply@example.com>',
    '',
  ].join('\n'),
  text: 'Thanks',
  envelope: JSON.stringify({ to: ['box@in.example.com'], from: 'ann@example.com' }),
}
