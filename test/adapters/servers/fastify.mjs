import fastify from 'fastify'
import { fastifyPlugin } from 'mailtrail/fastify'
import { correlator } from './correlator.mjs'
import { sayWhere } from './listening.mjs'

const [, , way = 'mounted'] = process.argv

const app = fastify()
// What applications do with bodies, which is not to reach the webhooks.
app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, async () => {
  throw new Error('it was parsed')
})

if (way === 'mounted') {
  app.register(fastifyPlugin(correlator), { prefix: '/webhooks' })
}
if (way === 'read before') {
  app.post('/webhooks/*', (request, reply) => {
    reply.hijack()
    void correlator.nodeHandler(request.raw, reply.raw)
  })
}
app.post('/elsewhere', async ({ body }) => ({ parsed: body }))
app.setNotFoundHandler(async ({ body }, reply) => reply.code(404).send({ parsed: body }))

await app.listen({ port: 0, host: '127.0.0.1' })
sayWhere(app.server)
