import { streamOf } from './byte-stream.js'
import { messageOf, UnavailableError } from './errors.js'
import { exported, optionalPackage } from './optional-package.js'
import { urlEncodedPairs } from './urlencoded.js'

/** A field of a posted form. Its bytes are in whatever charset the sender of a mail had. */
export interface FormField {
  name: string
  value: Buffer
}

/** A file of a posted form. */
export interface FormFile {
  name: string
  /** As it was sent; empty where it was. */
  filename: string
  /** Without parameters, such as `text/plain`. */
  contentType: string
  content: Buffer
}

/** A posted form: what stands in it more than once is there more than once, in its order. */
export interface Form {
  fields: FormField[]
  files: FormFile[]
}

/** Why a form cannot be read. */
export class FormError extends Error {
  override readonly name = 'FormError'
}

const mostParts = 2000
const longestName = 1000

const busboy = optionalPackage(
  '@fastify/busboy',
  () => import('@fastify/busboy'),
  (module) => {
    const found = exported(module, 'Busboy')
    return isBusboy(found) ? found : undefined
  },
  (message) => new UnavailableError(`multipart forms cannot be read: ${message}`),
)

type BusboyClass = typeof import('@fastify/busboy').Busboy

const isBusboy = (value: unknown): value is BusboyClass => typeof value === 'function'

/** Whether a content type is that of a form. */
export function isForm(contentType: string): boolean {
  return isMultipart(contentType) || isUrlEncoded(contentType)
}

const isMultipart = (contentType: string): boolean =>
  /^\s*multipart\/form-data\s*(?:;|$)/i.test(contentType)

const isUrlEncoded = (contentType: string): boolean =>
  /^\s*application\/x-www-form-urlencoded\s*(?:;|$)/i.test(contentType)

/**
 * Reads a form, `multipart/form-data` or `application/x-www-form-urlencoded`.
 *
 * @throws FormError when it is none, broken, or has more than 2,000 parts
 */
export async function readForm(contentType: string, body: Buffer): Promise<Form> {
  if (isUrlEncoded(contentType)) return readUrlEncoded(body)
  if (!isMultipart(contentType)) throw new FormError('the body is no form')
  return readMultipart(await busboy(), contentType, body)
}

function readUrlEncoded(body: Buffer): Form {
  try {
    const pairs = urlEncodedPairs(body, mostParts)
    return { fields: pairs.map(([name, value]) => ({ name, value })), files: [] }
  } catch (error) {
    throw new FormError(messageOf(error))
  }
}

function readMultipart(Busboy: BusboyClass, contentType: string, body: Buffer): Promise<Form> {
  return new Promise((resolve, reject) => {
    const stop = (error: FormError): void => {
      reject(error)
      // Reading on would cost as much as the rest is long.
      source.destroy()
    }
    const fail = (error: unknown): void =>
      stop(new FormError(`the form is broken: ${messageOf(error)}`))
    const source = streamOf(body)
    const form: Form = { fields: [], files: [] }
    try {
      const parser = new Busboy({
        headers: { 'content-type': contentType },
        // As files all parts come as bytes; as fields they would be decoded, whatever their charset.
        isPartAFile: () => true,
        preservePath: true,
        limits: { fieldNameSize: longestName, parts: mostParts },
      })
      parser.on(
        'file',
        (name: string | undefined, stream, filename: string | undefined, _, type) => {
          const pieces: Buffer[] = []
          stream.on('data', (piece: Buffer) => void pieces.push(piece))
          stream.on('error', fail)
          stream.on('end', () => {
            const part = { name: name ?? '', content: Buffer.concat(pieces) }
            if (filename === undefined) form.fields.push({ name: part.name, value: part.content })
            else form.files.push({ ...part, filename, contentType: type })
          })
        },
      )
      parser.on('partsLimit', () => stop(tooManyParts()))
      parser.on('error', fail)
      parser.on('finish', () => resolve(form))
      source.pipe(parser)
    } catch (error) {
      fail(error)
    }
  })
}

const tooManyParts = (): FormError => new FormError(`the form has more than ${mostParts} parts`)
