import type { Guard, WebhookRequestHead } from '../provider.js'
import type { HttpAnswer, HttpHandler } from '../http-handler.js'

/** Answers a GET with what is written, to whom the guards let through. */
export function scrapeHandler(
  guards: readonly Guard[],
  write: () => Promise<{ contentType: string; body: string }>,
): HttpHandler {
  return async (request) => {
    const { method, target, peerAddress } = request
    if (method !== 'GET' && method !== 'HEAD') {
      return plain(405, 'Method Not Allowed', { allow: 'GET, HEAD' })
    }
    const head: WebhookRequestHead = {
      method,
      target,
      header: (name) => request.header(name),
      ...(peerAddress !== undefined && { clientAddress: peerAddress }),
    }
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

function plain(status: number, body: string, headers: Record<string, string> = {}): HttpAnswer {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers }, body }
}
