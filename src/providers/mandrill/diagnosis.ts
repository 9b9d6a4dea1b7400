import type { Refusal, WebhookRequestHead } from '../../provider.js'
import type { PostedForm } from './posted-form.js'
import { escapeSlashes, escapeUnicode } from './php-json.js'
import { type Parameter, testKey, verifySignature } from './signature.js'
import { variantsOf } from './url-variants.js'

/** A form, and what its signature does not fit. */
export interface Mismatch {
  request: WebhookRequestHead
  form: PostedForm
  signature: string
  keys: readonly string[]
  urls: readonly string[]
}

type Finding = Pick<Refusal, 'reason' | 'detail'>

// Anybody can send what fits nothing, so finding out why is not to cost much.
const largestBatch = 1024 * 1024
const mostTries = 2000
const mostSigned = 64 * 1024 * 1024

/** Why a signature fits none of the keys and URLs, as far as that can be found out. */
export function whyRefused(mismatch: Mismatch): Refusal {
  const { request, form, signature, urls } = mismatch
  // That everybody knows the test key makes nothing right but the post that it is for.
  const isTrial = form.batch.equals(Buffer.from('[]'))
  const keys = mismatch.keys.filter((key) => key !== testKey).concat(isTrial ? testKey : [])
  const fits = fittingWithinBounds(form, keys, signature)
  const found =
    form.batch.length <= largestBatch
      ? (asReserialised(form, urls, fits) ?? asOtherUrl(form, urls, request, fits))
      : undefined
  return { kind: 'refused', ...(found ?? asBadSignature(mismatch.keys)) }
}

type Fits = (url: string, parameters: readonly Parameter[]) => boolean

/** Whether the signature is by one of the keys; never when too much was tried before. */
function fittingWithinBounds(
  { parameters }: PostedForm,
  keys: readonly string[],
  signature: string,
): Fits {
  const size = parameters.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  let left = Math.min(mostTries, mostSigned / size)
  return (url, tried) =>
    keys.some((key) => {
      left -= 1
      return left >= 0 && verifySignature(key, url, tried, signature)
    })
}

function asReserialised(
  { parameters, batch }: PostedForm,
  urls: readonly string[],
  fits: Fits,
): Finding | undefined {
  const rewritten = rewritings(batch).map((json) =>
    parameters.map(([name, value]) => [name, value === batch ? Buffer.from(json) : value] as const),
  )
  if (!rewritten.some((tried) => urls.some((url) => fits(url, tried)))) return undefined
  return {
    reason: 'reserialised',
    detail:
      'the signature fits the batch as it was before its JSON was parsed and written again on its way: hand over the form as it came',
  }
}

/** The JSON as it may have been before: as PHP writes it, and with less escaped. */
function rewritings(batch: Buffer): string[] {
  try {
    const json = JSON.stringify(JSON.parse(batch.toString('utf8')))
    return [escapeUnicode(escapeSlashes(json)), escapeSlashes(json), json]
  } catch {
    return []
  }
}

function asOtherUrl(
  { parameters }: PostedForm,
  urls: readonly string[],
  request: WebhookRequestHead,
  fits: Fits,
): Finding | undefined {
  const fitting = urls
    .flatMap((url) => variantsOf(url, request))
    .toSorted((a, b) => a.differences.length - b.differences.length)
    .find(({ url }) => fits(url, parameters))
  if (!fitting) return undefined
  return {
    reason: 'wrong-url',
    detail: `the key is right and the URL is another: Mandrill has it ${fitting.differences.join(' and ')}. Give the URL as it stands there, to the letter`,
  }
}

function asBadSignature(keys: readonly string[]): Finding {
  // API keys begin so. Whether no webhook's key ever does is written nowhere.
  const hint = keys.some((key) => key.startsWith('md-'))
    ? '. One of them begins with "md-", as API keys do: the key of a webhook is shown in Mandrill under Settings, Webhooks'
    : ''
  return {
    reason: 'bad-signature',
    detail: `the signature fits none of the keys with this URL: every webhook and every inbound route has a key of its own, and the URL must be the one entered in Mandrill to the letter (https or http, port, path, trailing slash, query)${hint}`,
  }
}
