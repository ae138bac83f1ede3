import { NextResponse, type NextRequest } from 'next/server';
import { respondToRefusals, sessions } from './sessions';

export const config = { matcher: ['/me', '/orders', '/reports'] };

/** Refuses at the edge. The route handlers verify again: never rely on the middleware alone, see CVE-2025-29927. */
export async function middleware(request: NextRequest): Promise<Response> {
  return respondToRefusals(async () => {
    await sessions.verify(request);
    return NextResponse.next();
  });
}
