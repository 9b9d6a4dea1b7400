import { correlator } from '../../../../correlator.mjs'

// Without the line that keeps the bytes.
export default correlator.nodeHandler
