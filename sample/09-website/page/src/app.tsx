import { useState } from 'react';
import Session from 'supertokens-website';
import { useSession } from './use-session';

/** The page: a sign-in, and what a signed-in user does. */
export function App({ apiDomain }: { apiDomain: string }) {
  const { status, userId, hasEnded, refreshes } = useSession();
  if (status === 'asking') return <p>One moment …</p>;
  if (status === 'signed out')
    return (
      <>
        <h1>Not signed in</h1>
        {hasEnded && <p role="alert">Your session has ended. Sign in again.</p>}
        <button onClick={() => void signIn(apiDomain, 'ada')}>Sign in as Ada</button>
      </>
    );
  return (
    <>
      <h1>Signed in as {userId}</h1>
      <p>Refreshes since the page was loaded: {refreshes}</p>
      <Calls apiDomain={apiDomain} />
      <button onClick={() => void Session.signOut()}>Sign out</button>
    </>
  );
}

function Calls({ apiDomain }: { apiDomain: string }) {
  const [response, setResponse] = useState('');
  const show = (path: string) => void call(apiDomain + path).then(setResponse);
  return (
    <>
      <button onClick={() => show('/me')}>Who am I?</button>
      <button onClick={() => show('/reports')}>Reports</button>
      <output>{response}</output>
    </>
  );
}

async function signIn(apiDomain: string, userId: string): Promise<void> {
  await fetch(`${apiDomain}/sign-in`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ userId }),
  });
}

/** Calls a guarded route. An access token that has expired is refreshed on the way, and the call repeated. */
async function call(url: string): Promise<string> {
  const response = await fetch(url);
  if (response.status === 401) return ''; // the session has ended, and `useSession` knows
  if (response.status === 403) {
    const failed = await Session.getInvalidClaimsFromResponse({ response });
    return `Refused, because of the claim ${failed.map(({ id }) => `“${id}”`).join(', ')}`;
  }
  const { message } = (await response.json()) as { message: string };
  return message;
}
