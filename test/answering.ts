import { createServer } from 'node:http'

/** A server that answers each path with this JSON, and others with 404. */
export async function answering(
  answers: Readonly<Record<string, unknown>>,
): Promise<{ url: string; close(): void }> {
  const server = createServer((request, response) => {
    request.resume()
    const body = answers[request.url ?? '']
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(body ?? { message: 'not found' }))
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
