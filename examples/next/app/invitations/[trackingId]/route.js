import { correlator } from '../../../mail.js'

/**
 * @param {Request} _request
 * @param {{ params: Promise<{ trackingId: string }> }} context
 */
export async function GET(_request, { params }) {
  const { trackingId } = await params
  const message = await correlator.message(trackingId)
  if (!message) return Response.json({}, { status: 404 })
  return Response.json({ status: message.status })
}
