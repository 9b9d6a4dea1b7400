import { correlator } from '../../../mail.js'

export const GET = correlator.handler
export const HEAD = correlator.handler
export const POST = correlator.handler
