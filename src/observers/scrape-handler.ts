import { type HttpHandler, plain, requestHead } from '../http-handler.js'
import type { Guard } from '../provider.js'

/** Answers a GET with what is written, to whom the guards let through. */
export function scrapeHandler(
  guards: readonly Guard[],
  write: () => Promise<{ contentType: string; body: string }>,
): HttpHandler {
  return async (request) => {
    const { method } = request
    if (method !== 'GET' && method !== 'HEAD') {
      return plain(405, 'Method Not Allowed', { allow: 'GET, HEAD' })
    }
    const head = requestHead(request)
    try {
      for (const guard of guards) {
        const refusal = await guard.check(head)
        if (refusal?.reason === 'wrong-credentials') {
          return plain(401, 'Unauthorized', { 'www-authenticate': 'Basic realm="metrics"' })
        }
        if (refusal) return plain(403, 'Forbidden')
      }
      const { contentType, body } = await write()
      return { status: 200, headers: { 'content-type': contentType }, body }
    } catch {
      // What has failed may say more than a stranger is to know.
      return plain(503, 'Service Unavailable')
    }
  }
}
