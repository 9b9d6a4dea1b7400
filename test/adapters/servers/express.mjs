// An Express of any version, by the name of its package.
import { correlator } from './correlator.mjs'
import { sayWhere } from './listening.mjs'

const [, , name = 'express', way = 'mounted'] = process.argv
/** @type {{ default: typeof import('express') }} */
const { default: express } = await import(name)

/**
 * @param {object} request
 * @param {unknown} _response
 * @param {Buffer} body
 */
const verify = (request, _response, body) => {
  Object.assign(request, { rawBody: body })
}

const app = express()
if (way === 'read before') app.use(express.json())
if (way === 'kept') {
  app.use(express.json({ verify }), express.urlencoded({ verify, extended: false }))
}
app.use('/webhooks', correlator.nodeHandler)
app.use(express.json())

app.post(['/elsewhere', '/webhooks/elsewhere'], (request, response) => {
  response.json({ parsed: request.body })
})
const server = app.listen(0, '127.0.0.1', () => sayWhere(server))
