import type { GuardedWebhook } from '../guarded-webhook.js'
import { type HostNotes, hostNotes, type NodeHandler } from '../node-handler.js'

/** What is used of Koa's context. */
export interface KoaContext {
  req: Parameters<NodeHandler>[0]
  res: Parameters<NodeHandler>[1]
  request: object
  originalUrl: string
  respond?: boolean | undefined
}

/**
 * The webhook endpoint as a Koa middleware. Other paths are handed on.
 *
 * ```ts
 * app.use(koaMiddleware(correlator))
 * ```
 */
export function koaMiddleware({
  nodeHandler,
}: Pick<GuardedWebhook, 'nodeHandler'>): (
  context: KoaContext,
  next: () => Promise<unknown>,
) => Promise<void> {
  return async (context, next) => {
    const notes: HostNotes = {
      host: 'koa',
      // Mounting takes a part from the request's own.
      target: context.originalUrl,
      // Body parsers keep it here, and not on the request of Node.
      rawBody: Reflect.get(context.request, 'rawBody'),
    }
    Object.assign(context.req, { [hostNotes]: notes })
    let handedOn = false
    await nodeHandler(context.req, context.res, () => (handedOn = true))
    if (handedOn) await next()
    else context.respond = false
  }
}
