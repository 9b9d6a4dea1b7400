import { parse } from 'node:path'

// The packages are links to where they are.
export default { turbopack: { root: parse(process.cwd()).root } }
