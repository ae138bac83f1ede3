/**
 * Runs the life of a session through the proxy, which alternates between the instances, beginning with the first.
 *
 * @param tell receives one line for each step
 */
export async function playStory(origin: string, tell: (line: string) => void): Promise<void> {
  const send = (path: string, token?: string, method = 'POST'): Promise<Response> =>
    fetch(origin + path, {
      method,
      headers: {
        'st-auth-mode': 'header',
        'content-type': 'application/json',
        ...(token && { authorization: `Bearer ${token}` }),
      },
      ...(path === '/sign-in' && { body: JSON.stringify({ userId: 'ada' }) }),
    });
  const report = (what: string, response: Response): void =>
    tell(`${what} on ${response.headers.get('x-instance')}: ${response.status}`);

  const created = await send('/sign-in');
  report('created', created);
  const refreshed = await send('/auth/session/refresh', created.headers.get('st-refresh-token') ?? '');
  report('refreshed', refreshed);
  const accessToken = refreshed.headers.get('st-access-token') ?? '';
  report('revoked', await send('/revoke', accessToken));
  report('refused', await send('/me', accessToken, 'GET'));
}
