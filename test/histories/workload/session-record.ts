import type { AccessToken, Call, History, Rules } from '../checker/history.js';

/** A pair of tokens as a client holds it: the texts, and what histories say of them. */
export interface HeldTokens {
  readonly access: { readonly text: string; readonly token: AccessToken };
  readonly refresh: { readonly text: string; readonly name: string };
}

/** The record of one session. */
export class SessionRecord {
  private readonly calls: Call[] = [];
  private readonly line: [token: string, parent: string | null][] = [];
  private readonly names = new Map<string, string>();
  /** Refresh tokens in the order in which they were seen. */
  readonly refreshTokens: { readonly text: string; readonly name: string }[] = [];

  constructor(
    readonly sessionHandle: string,
    readonly userId: string,
    readonly rules: Rules,
  ) {}

  add(call: Call): void {
    this.calls.push(call);
  }

  get size(): number {
    return this.calls.length;
  }

  /** @param parent name of the token that it was exchanged for; null at the sign-in */
  refreshToken(text: string, parent: string | null): { readonly text: string; readonly name: string } {
    const known = this.names.get(text);
    if (known !== undefined) return { text, name: known };
    const name = `r${this.names.size}`;
    this.names.set(text, name);
    this.line.push([name, parent]);
    const token = { text, name };
    this.refreshTokens.push(token);
    return token;
  }

  /** @param others calls about all sessions of a user or tenant, with what they mean for this one */
  history(others: readonly Call[]): History {
    return {
      session: this.sessionHandle,
      rules: this.rules,
      line: this.line,
      calls: [...this.calls, ...others].sort((a, b) => a.beganMs - b.beganMs),
    };
  }
}

/** Reads an access token as a client can. @param of name of the refresh token that it came with */
export function readAccessToken(text: string, of: string): AccessToken {
  const payload = JSON.parse(Buffer.from(text.split('.')[1] ?? '', 'base64url').toString()) as Readonly<
    Record<string, unknown>
  >;
  return {
    of,
    isOfRefresh: typeof payload['parentRefreshTokenHash1'] === 'string',
    expiresAtMs: Number(payload['exp']) * 1000,
    claims: storedNames(payload),
  };
}

/** Returns the names that calls of the histories have stored. */
export function storedNames(object: unknown): readonly string[] {
  return Object.keys(object ?? {})
    .filter((name) => /^[cd]\d+$/.test(name))
    .sort();
}
