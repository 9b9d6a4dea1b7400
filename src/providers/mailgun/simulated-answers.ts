import type { ApiAnswer, ApiRequest } from '../../simulator.js'

/** Whether a call comes with the key. */
export function isAuthorized({ headers }: Pick<ApiRequest, 'headers'>, apiKey: string): boolean {
  const credentials = Buffer.from(`api:${apiKey}`).toString('base64')
  return headers['authorization'] === `Basic ${credentials}`
}

export function errorAnswer(status: number, message: string): ApiAnswer {
  return jsonAnswer(status, { message })
}

export function jsonAnswer(status: number, body: unknown): ApiAnswer {
  return textAnswer(status, 'application/json', JSON.stringify(body))
}

export function textAnswer(status: number, type: string, body: string): ApiAnswer {
  return { status, headers: { 'content-type': type }, body }
}
