import { isSuccess, exchangeName, finalResponse, type RecordedExchange } from '../exchange.js';
import type { Facts } from '../facts.js';
import { error, ok, warning, type Finding } from '../finding.js';
import { readTokens } from '../session-tokens.js';

/** Checks that a sign-in creates a session that can be refreshed and ended. */
export function checkSignIn({ exchanges }: Facts): Finding[] {
  const { signIn, refresh, signOut } = exchanges;
  if (signIn === undefined || finalResponse(signIn) === undefined) return [];
  if (!isSuccess(signIn)) return [refusedSignIn(signIn)];
  return [
    ok('sign-in.answer', `${exchangeName(signIn)} returns ${signIn.response?.status}`),
    checkTokens(signIn),
    ...checkRefresh(refresh),
    ...checkSignOut(signOut),
  ];
}

function refusedSignIn(signIn: RecordedExchange): Finding {
  return error('sign-in.answer', `${exchangeName(signIn)} returns ${signIn.response?.status}`, {
    why: 'Without a session its cookies cannot be checked.',
    fix:
      signIn.response?.status === 401
        ? 'Give a request that signs in. If this one does, the website is foreign to the application: correct websiteDomain in appInfo, or list it in allowedOrigins.'
        : 'Give a request that signs in: method, path from the root of the host, and body.',
  });
}

function checkTokens(signIn: RecordedExchange): Finding {
  const tokens = readTokens(signIn);
  const name = exchangeName(signIn);
  if (tokens.transferMethod === 'none' || tokens.refreshToken === undefined) {
    return error('sign-in.tokens', `${name} succeeds, but its response carries no session`, {
      why: 'The client stays signed out.',
      fix:
        'Call sessions.createNewSession(req, res, …) in this route and await it before you respond; on Express take ' +
        '@Res({ passthrough: true }).',
    });
  }
  if (!tokens.hasFrontToken) {
    return error('sign-in.tokens', `${name} sends tokens, but no front-token`, {
      why: 'The browser client takes the user for signed out.',
      fix: 'The module sends it: look for a proxy or middleware that removes unknown headers.',
    });
  }
  if (tokens.transferMethod === 'header') {
    return warning('sign-in.tokens', `${name} sends the tokens in headers, though cookies were asked for`, {
      why: 'Scripts can read both tokens. That is meant for native clients, and for websites that cannot use cookies.',
      fix: 'Let getTokenTransferMethod follow the client (leave it out), or ignore this if you decided for headers.',
    });
  }
  return ok('sign-in.tokens', `${name} sends the tokens in cookies`);
}

function checkRefresh(refresh: RecordedExchange | undefined): Finding[] {
  if (refresh === undefined || finalResponse(refresh) === undefined) return [];
  const seen = `${exchangeName(refresh)} with the tokens of a browser returns ${refresh.response?.status}`;
  if (isSuccess(refresh) && readTokens(refresh).refreshToken !== undefined)
    return [ok('sign-in.refresh', seen)];
  return [
    error('sign-in.refresh', seen, {
      why: 'Users are signed out when their first access token expires.',
      fix:
        'Several instances need one store (postgresStore or remoteCore), not each its memory; behind a proxy, cookies and ' +
        'the headers rid, anti-csrf and authorization must arrive.',
    }),
  ];
}

function checkSignOut(signOut: RecordedExchange | undefined): Finding[] {
  if (signOut === undefined || finalResponse(signOut) === undefined) return [];
  const seen = `${exchangeName(signOut)} returns ${signOut.response?.status}`;
  if (isSuccess(signOut)) return [ok('sign-in.sign-out', seen)];
  return [
    warning('sign-in.sign-out', seen, {
      why: 'The session of this examination stays until it expires; users may not be able to sign out.',
      fix: 'If you switched the route off (signOutPOST), end sessions in a route of your own.',
    }),
  ];
}
