import { SendError } from 'mailtrail'
import { transporter } from '../../mail.js'

/** @param {Request} request */
export async function POST(request) {
  const { email } = /** @type {{ email: string }} */ (await request.json())
  try {
    const { trackingId } = await transporter.sendMail({
      from: 'Shop <shop@example.com>',
      to: email,
      subject: 'You are invited',
      text: 'https://shop.example.com/join',
    })
    return Response.json({ trackingId }, { status: 202 })
  } catch (error) {
    if (!(error instanceof SendError)) throw error
    return Response.json({ error: error.category }, { status: 502 })
  }
}
