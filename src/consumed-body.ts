import type { Refusal } from './provider.js'

/** How a host leaves the raw bytes alone, or keeps them. */
const remedies = {
  express:
    'in Express, mount the handler before express.json() and the like, or let these keep the bytes, as in express.json({ verify: (request, _response, body) => { request.rawBody = body } })',
  nest: 'in Nest, mount it in main.ts with app.use(path, correlator.nodeHandler), or create the application with NestFactory.create(AppModule, { rawBody: true })',
  koa: 'in Koa, use koaMiddleware(correlator) of mailtrail/koa before bodyParser() and the like',
  fastify:
    'in Fastify, register fastifyPlugin(correlator) of mailtrail/fastify in place of a route of your own',
  next: "in Next's pages API, add to the file of the route: export const config = { api: { bodyParser: false } }",
}

/** A server that may have read a body before us. */
export type Host = keyof typeof remedies

/**
 * Why a request is not taken whose body somebody has read.
 *
 * @param hosts which of them it may have been; any of them where there is none
 */
export function consumedBody(hosts: readonly Host[]): Refusal {
  const named = new Set<string>(hosts)
  const told = Object.entries(remedies).filter(([host]) => named.size === 0 || named.has(host))
  const remedy = told.map(([, words]) => words).join('; ')
  return {
    kind: 'refused',
    reason: 'consumed',
    detail: `the body was read before, and signatures are over its raw bytes: ${remedy}`,
  }
}
