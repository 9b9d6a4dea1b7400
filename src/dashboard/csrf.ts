import { createHmac, timingSafeEqual } from 'node:crypto'
import type { WebhookRequestHead } from '../provider.js'

/** The field of a form that carries the token. */
export const tokenField = 'token'

/** What a form of this dashboard carries, and one of another site cannot: bound to who it was shown to. */
export function formToken(secret: string, user: string): string {
  return createHmac('sha256', secret).update(`dashboard form\0${user}`).digest('base64url')
}

export function isToken(given: string, secret: string, user: string): boolean {
  const expected = Buffer.from(formToken(secret, user))
  const bytes = Buffer.from(given)
  return bytes.length === expected.length && timingSafeEqual(bytes, expected)
}

/** Whether a browser says that the form was on a page of this very origin; one that says nothing is not trusted. */
export function isSameOrigin({ header }: Pick<WebhookRequestHead, 'header'>): boolean {
  const site = header('sec-fetch-site')
  if (site !== undefined) return site === 'same-origin'
  const origin = header('origin') ?? ''
  return URL.canParse(origin) && new URL(origin).host === header('host')
}
