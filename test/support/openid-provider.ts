import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { SignJWT } from 'jose';
import type { Clock } from 'nest-sessions';

export const ISSUER = 'https://id.example.com';
export const CLIENT_ID = 'shop';
export const LOGOUT_PATH = '/auth/session/backchannel-logout';
const EVENTS = { 'http://schemas.openid.net/event/backchannel-logout': {} };

/** Changes of a logout token; undefined leaves a member out. */
export interface TokenChange {
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
  readonly key?: KeyObject | Uint8Array;
}

/** A key of a provider, with its public half as the provider publishes it. */
export class ProviderKey {
  private readonly pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });

  constructor(readonly kid: string) {}

  get privateKey(): KeyObject {
    return this.pair.privateKey;
  }

  get publicJwk(): object {
    return { ...this.pair.publicKey.export({ format: 'jwk' }), kid: this.kid, alg: 'ES256', use: 'sig' };
  }
}

export const PROVIDER_KEY = new ProviderKey('one');

/** The settings of the provider, with its key beside it. */
export const PROVIDER = {
  issuer: ISSUER,
  clientId: CLIENT_ID,
  algorithms: ['ES256'],
  keys: { keys: [PROVIDER_KEY.publicJwk] },
};

let tokens = 0;

/** A logout token as a provider sends it, apart from the change. */
export async function logoutToken(
  clock: Clock,
  { claims = {}, header = {}, key = PROVIDER_KEY.privateKey }: TokenChange = {},
): Promise<string> {
  const iat = Math.floor(clock.now() / 1000);
  const all = {
    iss: ISSUER,
    aud: CLIENT_ID,
    iat,
    exp: iat + 120,
    jti: `token-${tokens++}`,
    events: EVENTS,
    ...claims,
  };
  return new SignJWT(all)
    .setProtectedHeader({ alg: 'ES256', kid: PROVIDER_KEY.kid, typ: 'logout+jwt', ...header })
    .sign(key);
}

/** The form that a provider posts. */
export function logoutForm(token: string): { method: string; headers: Record<string, string>; body: string } {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return { method: 'POST', headers, body: new URLSearchParams({ logout_token: token }).toString() };
}
