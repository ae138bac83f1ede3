import {
  accessTokenInfo,
  parseWithoutVerifying,
  type AccessTokenInfo,
} from '../../lib/tokens/access-token.js';
import { refreshTokenHash1, refreshTokenHash2 } from '../../lib/tokens/refresh-token.js';
import type { Operation } from './operations.js';

/**
 * Short names of tokens: `a0`, `a1` for access tokens and `r0`, `r1` for refresh tokens. Access tokens with the same content have one
 * name, because their signatures are random.
 */
export class Tokens {
  private readonly names = new Map<string, string>();
  private readonly texts = new Map<string, string>();
  private readonly infos = new Map<string, AccessTokenInfo>();
  private readonly hashes = new Map<string, { readonly hash1: string; readonly hash2: string }>();
  private counts = { a: 0, r: 0 };

  access(text: string): string {
    const name = this.name('a', text.slice(0, text.lastIndexOf('.')), text);
    if (!this.infos.has(name)) {
      const parsed = parseWithoutVerifying(text);
      if (parsed === undefined) throw new Error('The engine issued an access token that cannot be read');
      this.infos.set(name, accessTokenInfo(parsed));
    }
    return name;
  }

  refresh(text: string): string {
    const name = this.name('r', text, text);
    if (!this.hashes.has(name))
      this.hashes.set(name, { hash1: refreshTokenHash1(text), hash2: refreshTokenHash2(text) });
    return name;
  }

  info(accessToken: string): AccessTokenInfo {
    const info = this.infos.get(accessToken);
    if (info === undefined) throw new Error(`There is no access token ${accessToken}`);
    return info;
  }

  hash1(refreshToken: string): string {
    return this.hashes.get(refreshToken)?.hash1 ?? '';
  }

  hash2(refreshToken: string): string {
    return this.hashes.get(refreshToken)?.hash2 ?? '';
  }

  /** Returns an operation with the tokens themselves in the place of their names. */
  open(operation: Operation): Operation {
    if (!('token' in operation)) return operation;
    const token = this.texts.get(operation.token);
    if (token === undefined) throw new Error(`There is no token ${operation.token}`);
    return { ...operation, token };
  }

  private name(kind: 'a' | 'r', content: string, text: string): string {
    const known = this.names.get(content);
    if (known !== undefined) return known;
    const name = `${kind}${this.counts[kind]++}`;
    this.names.set(content, name);
    this.texts.set(name, text);
    return name;
  }
}
