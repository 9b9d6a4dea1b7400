import Koa from 'koa'
import { koaMiddleware } from 'mailtrail/koa'
import { correlator } from './correlator.mjs'
import { sayWhere } from './listening.mjs'

const [, , way = 'mounted'] = process.argv

const app = new Koa()

/**
 * Does what the body parsers of Koa do.
 *
 * @param {(text: string) => object} parse
 * @returns {Koa.Middleware}
 */
const bodyParser = (parse) => async (ctx, next) => {
  const pieces = []
  for await (const piece of ctx.req) pieces.push(piece)
  Object.assign(ctx.request, parse(Buffer.concat(pieces).toString()))
  await next()
}
if (way === 'read before') app.use(bodyParser((text) => ({ body: JSON.parse(text) })))
if (way === 'kept') app.use(bodyParser((text) => ({ body: {}, rawBody: text })))
if (way === 'below a path') {
  // As koa-mount does.
  app.use(async (ctx, next) => {
    ctx.path = ctx.path.replace(/^\/webhooks\/\w+/, '') || '/'
    await next()
  })
}
app.use(koaMiddleware(correlator))

app.use(async (ctx, next) => {
  if (!ctx.path.endsWith('/elsewhere')) return
  await bodyParser((text) => ({ body: JSON.parse(text) }))(ctx, next)
  ctx.body = { parsed: Reflect.get(ctx.request, 'body') }
})
const server = app.listen(0, '127.0.0.1', () => sayWhere(server))
