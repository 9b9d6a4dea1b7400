import { correlator } from '../../../../correlator.mjs'

/**
 * @param {Request} request
 * @returns {Promise<Response>}
 */
const receive = (request) => correlator.handler(request, { remoteAddress: '127.0.0.1' })
export { receive as GET, receive as HEAD, receive as POST }
