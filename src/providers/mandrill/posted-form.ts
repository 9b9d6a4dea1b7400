import { messageOf } from '../../errors.js'
import type { Refusal } from '../../provider.js'
import { urlEncodedPairs } from '../../urlencoded.js'

/** What Mandrill posts, decoded. The values stay bytes, for the signature is over these. */
export interface PostedForm {
  kind: 'form'
  parameters: readonly (readonly [name: string, value: Buffer])[]
  /** `mandrill_events`: the JSON of the batch. */
  batch: Buffer
}

// Mandrill posts one.
const mostParameters = 100

const batchName = 'mandrill_events'

/** Takes the form apart. It is not known yet who sent it, so each step costs no more than its length. */
export function readForm(body: Buffer): PostedForm | Refusal {
  let parameters: [name: string, value: Buffer][]
  try {
    parameters = urlEncodedPairs(body, mostParameters)
  } catch (error) {
    return malformed(messageOf(error))
  }
  if (new Set(parameters.map(([name]) => name)).size < parameters.length) {
    return malformed('the form repeats a parameter')
  }
  const batch = parameters.find(([name]) => name === batchName)?.[1]
  return batch ? { kind: 'form', parameters, batch } : malformed(`the form has no ${batchName}`)
}

/** The form that a host's parser has made an object of; undefined where that holds more than texts. */
export function formAgain(parsed: Readonly<Record<string, unknown>>): Buffer | undefined {
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(parsed)) {
    // A list or an object is what parsers make of `name[]=…` and of names that repeat.
    if (typeof value !== 'string') return undefined
    form.append(name, value)
  }
  return Buffer.from(form.toString())
}

function malformed(detail: string): Refusal {
  return { kind: 'refused', reason: 'malformed', detail }
}
