/**
 * @param {Request} request
 * @returns {Promise<Response>}
 */
export async function POST(request) {
  return Response.json({ parsed: await request.json() })
}
