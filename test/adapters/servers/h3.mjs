import { H3, serve } from 'h3'
import { correlator } from './correlator.mjs'

const app = new H3()
app.all('/webhooks/**', ({ req }) => correlator.handler(req, { remoteAddress: req.ip }))

app.post('/elsewhere', async ({ req }) => ({ parsed: await req.json() }))
const server = serve(app, { port: 0, hostname: '127.0.0.1', silent: true })
await server.ready()
process.stdout.write(`${server.url?.replace(/\/$/, '')}\n`)
