import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hash,
  pbkdf2,
  pbkdf2Sync,
  randomBytes,
  randomUUID,
} from 'node:crypto';
import { promisify } from 'node:util';
import { eventLoop } from '../util/event-loop.js';
import { parseJsonObject } from '../util/json.js';
import { NewestEntries } from '../util/newest-entries.js';
import { DEFAULT_TENANT_ID } from '../util/tenant-id.js';

/**
 * The encrypted content of a refresh token. Its expiry is not part of it, because the stored session has one.
 */
export interface RefreshTokenContent {
  readonly sessionHandle: string;
  /** Recipe user id. */
  readonly userId: string;
  readonly tenantId: string;
  /**
   * The first hash of the token that was exchanged for this one; undefined for the first token of a session.
   */
  readonly parentRefreshTokenHash1: string | undefined;
  readonly antiCsrfToken: string | undefined;
}

const IV_BYTES = 12;
const TAG_BYTES = 16;
const PBKDF2_ITERATIONS = 100;
const KEY_BYTES = 32;
const MAX_TOKEN_LENGTH = 8192;
const deriveInThreadPool = promisify(pbkdf2);
/** The number of keys that are kept, at about 150 bytes each. */
const REMEMBERED_KEYS = 16_384;

/** Returns whether a text has the form of a Core's refresh token, `<base64>.<nonce>.V2`: a JWT or an API key has not. */
export function isRefreshToken(text: string): boolean {
  return /^[^.]+\.[^.]+\.v\d$/i.test(text);
}

/** Returns h1: the lower-case hex SHA-256 of the whole token's text. */
export function refreshTokenHash1(token: string): string {
  return hash('sha256', token, 'hex');
}

/** Returns h2 = h1(h1), which the store keeps. The second hash is taken over the hex text of the first. */
export function refreshTokenHash2(token: string): string {
  return refreshTokenHash1(refreshTokenHash1(token));
}

/**
 * Returns a new refresh-token key in the Core's form: iterations, salt and result of PBKDF2 over random bytes.
 */
export function newRefreshTokenKey(): string {
  const salt = randomBytes(64);
  const key = pbkdf2Sync(randomBytes(64), salt, 1000, 64, 'sha512');
  return `1000:${salt.toString('hex')}:${key.toString('hex')}`;
}

/**
 * Encrypts and decrypts refresh tokens of the form `<base64>.<nonce>.V2`.
 *
 * @see docs/protocol/core.md B2
 */
export class RefreshTokens {
  private readonly sealingKeys: SealingKeys;

  /** @param key the refresh-token key, used as an opaque text */
  constructor(private readonly key: string) {
    this.sealingKeys = new SealingKeys(key);
  }

  /** Makes the first token of a session, with a random nonce. */
  async issue(content: RefreshTokenContent): Promise<string> {
    return this.seal(content, refreshTokenHash1(randomUUID() + randomBytes(32).toString('hex')));
  }

  /**
   * Makes the one successor of a token. Nonce and IV are functions of the refresh-token key and the content (which
   * names the parent), so that two tabs, a retry or two instances that exchange the same token get the same successor.
   */
  async issueSuccessor(
    content: RefreshTokenContent & { readonly parentRefreshTokenHash1: string },
  ): Promise<string> {
    return this.seal(content, this.derive('nonce', toPlaintext(content, '')).toString('hex'));
  }

  /**
   * Returns the anti-CSRF token of a token's successor: the same for each exchange of the same parent, and secret
   * without the key.
   */
  successorAntiCsrfToken(parentRefreshTokenHash1: string): string {
    return formatUuid(this.derive('anti-csrf', parentRefreshTokenHash1));
  }

  /** Returns a secret for another purpose than tokens, the same wherever this key is. */
  deriveSecret(purpose: string): string {
    return this.derive('secret', purpose).toString('base64url');
  }

  /**
   * Decrypts a token.
   *
   * @returns undefined for every text that was not encrypted with this key
   */
  async open(token: string): Promise<RefreshTokenContent | undefined> {
    if (token.length > MAX_TOKEN_LENGTH) return undefined;
    // The cheap checks come first, so that a key is derived only for a text in the form of a refresh token.
    const { sealed, nonce } =
      /^(?<sealed>[^.]*)\.(?<nonce>[0-9a-f]{64})\.[Vv][12]$/.exec(token)?.groups ?? {};
    if (sealed === undefined) return undefined;
    const bytes = Buffer.from(sealed, 'base64');
    if (bytes.length <= IV_BYTES + TAG_BYTES || bytes.toString('base64') !== sealed) return undefined;
    const content = await this.unseal(bytes);
    return content?.nonce === nonce ? content : undefined;
  }

  private async seal(content: RefreshTokenContent, nonce: string): Promise<string> {
    const plaintext = toPlaintext(content, nonce);
    const iv = this.derive('iv', plaintext).subarray(0, IV_BYTES);
    const sealingKey = await this.sealingKeys.of(iv);
    this.sealingKeys.keep(iv, sealingKey);
    return `${seal(sealingKey, iv, plaintext)}.${nonce}.V2`;
  }

  private async unseal(bytes: Buffer): Promise<UnsealedContent | undefined> {
    const iv = bytes.subarray(0, IV_BYTES);
    const sealingKey = await this.sealingKeys.of(iv);
    const decipher = createDecipheriv('aes-256-gcm', sealingKey, iv, { authTagLength: TAG_BYTES });
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    try {
      const plaintext = decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES));
      decipher.final(); // checks the tag; in this mode no byte is left
      this.sealingKeys.keep(iv, sealingKey); // kept only now, so that a forged token displaces no key
      return parseContent(plaintext.toString('utf8'));
    } catch {
      return undefined; // the tag does not match: encrypted with another key, or altered
    }
  }

  private derive(purpose: string, text: string): Buffer {
    return createHmac('sha256', this.key).update(`${purpose}\0${text}`).digest();
  }
}

/**
 * Returns the encrypted part of a token. The IV must never have been used for another plaintext.
 *
 * @internal exported for the known-answer test
 */
export async function sealWithIv(key: string, iv: Buffer, plaintext: string): Promise<string> {
  return seal(await derivedKey(key, iv), iv, plaintext);
}

function seal(sealingKey: Buffer, iv: Buffer, plaintext: string): string {
  const cipher = createCipheriv('aes-256-gcm', sealingKey, iv);
  return Buffer.concat([iv, cipher.update(plaintext, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString(
    'base64',
  );
}

/**
 * Derives the key of an IV. While the event loop is busy the thread pool does it, so that forged tokens do not delay other
 * requests; otherwise the main thread, because the hand-over takes longer than the 50 µs of the derivation.
 */
async function derivedKey(key: string, iv: Buffer): Promise<Buffer> {
  return eventLoop.isBusy
    ? deriveInThreadPool(key, iv, PBKDF2_ITERATIONS, KEY_BYTES, 'sha512')
    : pbkdf2Sync(key, iv, PBKDF2_ITERATIONS, KEY_BYTES, 'sha512');
}

/**
 * The keys of single tokens. Deriving one takes a fifth of the time of an RSA signature, and a token is usually
 * decrypted by the process that made it, so the keys of the newest tokens are cached. Each of them can also be
 * derived from the refresh-token key.
 */
class SealingKeys {
  /**
   * By IV. Both are strings with one byte for each character, because these take a third of the memory of a Buffer.
   */
  private readonly newest = new NewestEntries<string>(REMEMBERED_KEYS);

  constructor(private readonly key: string) {}

  async of(iv: Buffer): Promise<Buffer> {
    const known = this.newest.get(iv.toString('latin1'));
    return known === undefined ? derivedKey(this.key, iv) : Buffer.from(known, 'latin1');
  }

  keep(iv: Buffer, sealingKey: Buffer): void {
    this.newest.add(iv.toString('latin1'), sealingKey.toString('latin1'));
  }
}

/** Absent fields are left out, as a Core does: JSON has no place for what is undefined. */
function toPlaintext(content: RefreshTokenContent, nonce: string): string {
  const { sessionHandle, userId, tenantId, parentRefreshTokenHash1, antiCsrfToken } = content;
  return JSON.stringify({
    sessionHandle,
    userId,
    nonce,
    parentRefreshTokenHash1,
    antiCsrfToken,
    tenantId: tenantId === DEFAULT_TENANT_ID ? undefined : tenantId,
  });
}

/** The nonce is still to be compared with the one outside of the encrypted part. */
type UnsealedContent = RefreshTokenContent & { readonly nonce: unknown };

function parseContent(plaintext: string): UnsealedContent | undefined {
  const { sessionHandle, userId, nonce, parentRefreshTokenHash1, antiCsrfToken, tenantId } =
    parseJsonObject(plaintext) ?? {};
  if (typeof sessionHandle !== 'string' || typeof userId !== 'string') return undefined;
  const optional = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
  return {
    sessionHandle,
    userId,
    nonce,
    tenantId: optional(tenantId) ?? DEFAULT_TENANT_ID,
    parentRefreshTokenHash1: optional(parentRefreshTokenHash1),
    antiCsrfToken: optional(antiCsrfToken),
  };
}

/** Returns a version 4 UUID, which is the form of an anti-CSRF token. */
function formatUuid(bytes: Buffer): string {
  const hex = Buffer.from(bytes.subarray(0, 16));
  hex[6] = ((hex[6] ?? 0) & 0x0f) | 0x40;
  hex[8] = ((hex[8] ?? 0) & 0x3f) | 0x80;
  return hex.toString('hex').replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
