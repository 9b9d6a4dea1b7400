import { isAscii, isUtf8 } from 'node:buffer'
import { UnavailableError } from './errors.js'
import { exported, optionalPackage } from './optional-package.js'

interface Iconv {
  encodingExists(label: string): boolean
  decode(bytes: Buffer, label: string): string
}

const iconv = optionalPackage(
  'iconv-lite',
  () => import('iconv-lite'),
  (module) => {
    const library = {
      encodingExists: exported(module, 'encodingExists'),
      decode: exported(module, 'decode'),
    }
    return isIconv(library) ? library : undefined
  },
  (message) => new UnavailableError(`inbound mail cannot be read: ${message}`),
)

function isIconv(library: { [K in keyof Iconv]: unknown }): library is Iconv {
  return typeof library.encodingExists === 'function' && typeof library.decode === 'function'
}

/**
 * Text from bytes in the charset that they are said to be in. Where that is not known or not said,
 * UTF-8 when they are that, and else windows-1252, in which every byte is some character.
 */
export async function decodeText(bytes: Buffer, charset?: string): Promise<string> {
  const label = charset?.trim().toLowerCase() ?? ''
  // Most of it is, and needs no library.
  if (isAscii(bytes) || (isUtf8Label(label) && isUtf8(bytes))) return bytes.toString('utf8')
  const library = await iconv()
  const known = label !== '' && !isUtf8Label(label) && library.encodingExists(label)
  if (known) return library.decode(bytes, label)
  return isUtf8(bytes) ? bytes.toString('utf8') : library.decode(bytes, 'windows-1252')
}

const isUtf8Label = (label: string): boolean => label === 'utf-8' || label === 'utf8'
