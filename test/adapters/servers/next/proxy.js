import { NextResponse } from 'next/server.js'

export const config = { matcher: ['/proxied/:path*', '/api/proxied/:path*'] }

export function proxy() {
  return NextResponse.next()
}
