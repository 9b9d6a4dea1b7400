import type { GuardedWebhook } from '../guarded-webhook.js'
import type { NodeHandler } from '../node-handler.js'

/** What is used of Fastify's request. */
export interface FastifyRequest {
  /** Node's request. */
  raw: Parameters<NodeHandler>[0]
}

/** What is used of Fastify's reply. */
export interface FastifyReply {
  /** Node's response. */
  raw: Parameters<NodeHandler>[1]
  /** Answers as Fastify does where there is no route. */
  callNotFound(): unknown
}

/** What is used of a Fastify instance. */
export interface FastifyScope {
  /** What the plugin was registered under. */
  prefix: string
  /** Registers a route for every method. */
  all(
    path: string,
    options: {
      onRequest(request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void
    },
    handler: (request: FastifyRequest, reply: FastifyReply) => unknown,
  ): unknown
}

/**
 * The webhook endpoint as a Fastify plugin, for everything below the prefix that it is registered
 * with. It answers before Fastify reads anything of the body, so the content type parsers and body
 * limits of the application neither get in its way nor are changed by it.
 *
 * ```ts
 * app.register(fastifyPlugin(correlator), { prefix: '/webhooks' })
 * ```
 */
export function fastifyPlugin({
  nodeHandler,
}: Pick<GuardedWebhook, 'nodeHandler'>): (scope: FastifyScope) => Promise<void> {
  return async (scope) => {
    // Without a prefix the root belongs to the application.
    const paths = scope.prefix === '' ? ['/*'] : ['/', '/*']
    for (const path of paths) {
      scope.all(
        path,
        {
          // Where `done` is not called, the request ends here and is not parsed.
          onRequest(request, reply, done) {
            nodeHandler(request.raw, reply.raw, () => done()).catch(done)
          },
        },
        (_request, reply) => reply.callNotFound(),
      )
    }
  }
}
