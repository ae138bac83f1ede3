import {
  generations,
  isKnown,
  type AccessToken,
  type Asked,
  type Call,
  type History,
  type Violation,
} from './history.js';

/** A history that fails, as it is kept in a file: the history is what is checked again, the rest is for the reader. */
export interface HistoryFile {
  readonly kind: 'history';
  readonly store: string;
  readonly seed: number;
  readonly violation: Violation;
  readonly story: readonly string[];
  /** As few known responses as show the violation. */
  readonly history: History;
  /** All that was recorded. */
  readonly whole: History;
}

/** Returns a history in sentences, one for each call whose response is known, in the order of their beginning. */
export function tellHistory(history: History): readonly string[] {
  const known = history.calls.filter(isKnown).toSorted((a, b) => a.beganMs - b.beganMs);
  const originMs = known[0]?.beganMs ?? 0;
  const numbers = generations(history);
  const number = (token: string): string => `${numbers.get(token) ?? '?'}`;
  const lines = known.map(({ id, actor, instance, beganMs, endedMs, asked, result }) => {
    const time = `${seconds(beganMs - originMs)}-${seconds(endedMs - originMs)} s`;
    return `${time}, call ${id}: ${WHO[actor]} ${verb(asked, number)} at instance ${instance}: ${said(result, number)}`;
  });
  const others = history.calls.length - known.length;
  return others === 0
    ? lines
    : [...lines, `${others} other calls may have happened or not: nothing changes that`];
}

const WHO: Readonly<Record<Call['actor'], string>> = {
  owner: 'the owner',
  thief: 'the thief',
  administrator: 'the administrator',
  auditor: 'the auditor',
};

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}

function verb(asked: Asked, number: (token: string) => string): string {
  const named = ({ of, isOfRefresh }: AccessToken): string =>
    `${isOfRefresh ? 'the access token that came with' : 'an access token of the time of'} refresh token ${number(of)}`;
  switch (asked.kind) {
    case 'sign-in':
      return 'signs in';
    case 'refresh':
      return `refreshes with refresh token ${number(asked.token)}`;
    case 'request':
      return `sends ${named(asked.token)} to a route that ${asked.checksDatabase ? 'checks the database' : 'does not check the database'}`;
    case 'claim-by-token':
      return `stores the claim ${asked.name} by ${named(asked.token)}`;
    case 'sign-out':
      return `signs out by ${named(asked.token)}`;
    case 'merge':
      return `merges ${asked.name} into the session data`;
    case 'claim':
      return `stores the claim ${asked.name} by the session handle`;
    case 'read':
      return 'reads the session';
    case 'revoke':
      return 'revokes the session';
    case 'revoke-user':
      return 'revokes the sessions of the user';
    case 'revoke-all':
      return 'revokes all sessions of the tenant from before this moment';
  }
}

function said(response: NonNullable<Call['result']>, number: (token: string) => string): string {
  const { status, refreshToken, accessToken, data, claims } = response;
  const parts = [
    refreshToken && `refresh token ${number(refreshToken)}`,
    accessToken &&
      `an access token until ${accessToken.expiresAtMs} with the claims [${accessToken.claims.join(', ')}]`,
    data && `the data [${data.join(', ')}]`,
    claims && `the claims [${claims.join(', ')}]`,
  ].filter(Boolean);
  return parts.length === 0 ? status : `${status} with ${parts.join(' and ')}`;
}
