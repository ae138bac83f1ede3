import { isSealed } from '../core/embedded/sealed-text.js';
import type { EmbeddedCoreConfig } from '../core/embedded/embedded-core-config.js';
import { OVERLAP_MS } from '../core/embedded/signing-keys.js';
import type { SessionStore } from '../stores/session-store.js';
import { parsePublicHalf, splitStoredPair } from '../tokens/key-pairs.js';
import type { PublicJwk, VerificationKeys } from '../util/verification-keys.js';
import { fromStore } from './open-sessions.js';

/** A signing key as it is stored, without its private half. */
export interface StoredKeyFacts {
  readonly kid: string;
  readonly isRotating: boolean;
  readonly algorithm: string;
  readonly createdAtMs: number;
  readonly isSealed: boolean;
  readonly publicHalf: string;
}

/** Reads the signing keys of a store and changes none: rotating ones first, the newest first. */
export async function readStoredKeys(store: SessionStore): Promise<readonly StoredKeyFacts[]> {
  const rotating = await fromStore(store.findDynamicKeys(0));
  const fixed = await fromStore(store.findStaticKeys());
  return [
    ...rotating.map(({ createdAtMs, algorithm = 'RS256', value }) => ({
      kid: `d-${createdAtMs}`,
      isRotating: true,
      algorithm,
      createdAtMs,
      ...halves(value),
    })),
    ...fixed.map(({ kid, createdAtMs, algorithm, value }) => ({
      kid,
      isRotating: false,
      algorithm,
      createdAtMs,
      ...halves(value),
    })),
  ];
}

function halves(value: string): Pick<StoredKeyFacts, 'isSealed' | 'publicHalf'> {
  const { publicHalf, privateHalf } = splitStoredPair(value);
  return { publicHalf, isSealed: isSealed(privateHalf) };
}

/** Returns keys that verify tokens, as they are now. */
export function verificationKeys(keys: readonly StoredKeyFacts[]): VerificationKeys {
  const parse = async ({ kid, createdAtMs, publicHalf }: StoredKeyFacts): Promise<PublicJwk> =>
    (await parsePublicHalf(kid, createdAtMs, publicHalf)).publicJwk;
  return {
    generation: 0,
    find: async (kid) => Promise.all(keys.filter((key) => kid === undefined || key.kid === kid).map(parse)),
  };
}

export type KeyState = 'signs' | 'signs next' | 'verifies' | 'not used' | 'static';

/** Returns what instances with these settings use a key for. */
export function keyState(
  key: StoredKeyFacts,
  keys: readonly StoredKeyFacts[],
  settings: EmbeddedCoreConfig,
  nowMs: number,
): KeyState {
  if (!key.isRotating) return 'static';
  const ageMs = nowMs - key.createdAtMs;
  const updateMs = settings.accessTokenDynamicSigningKeyUpdateIntervalSec * 1000;
  if (ageMs >= updateMs + 2 * settings.accessTokenValiditySec * 1000) return 'not used';
  const own = keys.filter(
    ({ isRotating, algorithm }) => isRotating && algorithm === settings.signingAlgorithm,
  );
  const [newest, second] = own;
  const publicationMs = Math.max(OVERLAP_MS, settings.signingKeyReloadIntervalSec * 1000);
  const isSecondToSign =
    newest !== undefined &&
    second !== undefined &&
    nowMs - newest.createdAtMs < publicationMs &&
    nowMs - second.createdAtMs < updateMs;
  if (key === (isSecondToSign ? second : newest)) return 'signs';
  return key === newest ? 'signs next' : 'verifies';
}
