/** The tokens that a client holds. */
interface Tokens {
  readonly access: string;
  readonly refresh: string;
}

/** Runs two visitors who sign in at the API and call the service in the other framework. */
export async function playStory(api: string, service: string, log: (line: string) => void): Promise<void> {
  const call = async (what: string, token?: string): Promise<void> => {
    const [method = 'GET', path = '/'] = what.split(' ');
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const response = await fetch(`${service}${path}`, { method, headers });
    log(`${what}: ${response.status} ${await response.text()}`);
  };

  await call('GET /me');
  const ben = await signIn(api, 'ben');
  log('ben signed in at the API, whose plan is free');
  await call('GET /me', ben.access);
  await call('GET /reports', ben.access);
  const refreshed = tokensOf(
    await fetch(`${service}/auth/session/refresh`, {
      method: 'POST',
      headers: { authorization: `Bearer ${ben.refresh}`, 'st-auth-mode': 'header' },
    }),
  );
  log('his session was refreshed through the service');
  await call('GET /me', refreshed.access);
  const ada = await signIn(api, 'ada');
  log('ada signed in at the API, whose plan is pro');
  await call('GET /reports', ada.access);
}

async function signIn(api: string, userId: string): Promise<Tokens> {
  const headers = { 'content-type': 'application/json', 'st-auth-mode': 'header' };
  return tokensOf(await fetch(`${api}/login`, { method: 'POST', headers, body: JSON.stringify({ userId }) }));
}

function tokensOf({ status, headers }: Response): Tokens {
  const access = headers.get('st-access-token');
  const refresh = headers.get('st-refresh-token');
  if (access === null || refresh === null) throw new Error(`expected tokens, got a ${status} without`);
  return { access, refresh };
}
