import { isFields } from '../../payload.js'

/** Why the real API refuses a message: in its words where they are known, or else in like ones. */
export interface Fault {
  message: string
  field: string | null
  help?: string
}

// What wrong types are answered with (sendgrid-nodejs#288).
export const badRequest: Fault = { message: 'Bad Request', field: null }

/** The page that the API's own help points to. */
export const errorsPage = 'http://sendgrid.com/docs/API_Reference/Web_API_v3/Mail/errors.html'

export const isText = (value: unknown): boolean => typeof value === 'string' && value !== ''

export const isTexts = (value: unknown): boolean =>
  isFields(value) && Object.values(value).every((entry) => typeof entry === 'string')
