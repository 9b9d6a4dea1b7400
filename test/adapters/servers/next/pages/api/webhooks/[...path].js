import { correlator } from '../../../../correlator.mjs'

export const config = { api: { bodyParser: false } }
export default correlator.nodeHandler
