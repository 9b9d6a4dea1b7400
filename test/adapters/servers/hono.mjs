import { serve } from '@hono/node-server'
import { getConnInfo } from '@hono/node-server/conninfo'
import { Hono } from 'hono'
import { correlator } from './correlator.mjs'

const app = new Hono()
app.all('/webhooks/*', (c) => {
  const { remote } = getConnInfo(c)
  return correlator.handler(c.req.raw, { remoteAddress: remote.address })
})

app.post('/elsewhere', async (c) => c.json({ parsed: await c.req.json() }))
serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) =>
  process.stdout.write(`http://127.0.0.1:${port}\n`),
)
