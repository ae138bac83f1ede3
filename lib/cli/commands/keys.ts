import { hasMethod } from '../../options/option-checks.js';
import { rotatingKeyMs } from '../../util/verification-keys.js';
import { isSet, type Command, type CommandCall } from '../command.js';
import { EXIT, RefusedError } from '../io.js';
import type { OpenedSessions } from '../open-sessions.js';
import { ageText, jsonText, tableText, timeText, type Column } from '../output.js';
import { keyState, readStoredKeys, type KeyState } from '../stored-keys.js';

/** A key in the list. */
interface ShownKey {
  readonly kid: string;
  readonly algorithm: string;
  /** Undefined where the core does not say it. */
  readonly createdAtMs?: number | undefined;
  readonly state?: KeyState | 'published' | undefined;
  readonly stored?: 'plain' | 'sealed';
}

export const keysList: Command = {
  name: 'keys list',
  summary: 'Lists the signing keys with their ages, and never the keys themselves.',
  details: `With --config it says which key signs, by the settings of the application: signs,
signs next (published, and the key before it signs for another minute), verifies
(for tokens that were signed by it), not used, static (never changes).`,
  options: {},
  run: async (call) => {
    const keys = await shownKeys(await call.open(), call.io.clock.now());
    call.io.stdout(isSet(call, 'json') ? jsonText({ keys: keys.map(keyJson) }) : keysText(keys, call));
    return keys.length === 0 ? EXIT.nothing : EXIT.done;
  },
};

async function shownKeys(
  { store, service, settings }: OpenedSessions,
  nowMs: number,
): Promise<readonly ShownKey[]> {
  if (store === undefined) {
    const { keys } = await service.getJWKS();
    return keys.map(({ kid, alg = 'RS256' }) => ({
      kid,
      algorithm: alg,
      createdAtMs: rotatingKeyMs(kid),
      state: 'published',
    }));
  }
  const stored = await readStoredKeys(store);
  return stored.map((key) => ({
    kid: key.kid,
    algorithm: key.algorithm,
    createdAtMs: key.createdAtMs,
    state: settings && keyState(key, stored, settings, nowMs),
    stored: key.isSealed ? 'sealed' : 'plain',
  }));
}

function keyJson({ createdAtMs: timeMs, ...key }: ShownKey): object {
  return { ...key, ...(timeMs === undefined ? {} : { createdAt: new Date(timeMs).toISOString() }) };
}

function keysText(keys: readonly ShownKey[], { io }: CommandCall): string {
  if (keys.length === 0) return 'There is no signing key yet: the first sign-in makes one.\n';
  const now = io.clock.now();
  const columns: readonly Column<ShownKey>[] = [
    { title: 'KEY', read: ({ kid }) => kid, isWhole: true },
    { title: 'ALGORITHM', read: ({ algorithm }) => algorithm },
    {
      title: 'CREATED',
      read: ({ createdAtMs: timeMs }) => (timeMs === undefined ? undefined : timeText(timeMs)),
      isWhole: true,
    },
    {
      title: 'AGE',
      read: ({ createdAtMs: timeMs }) => (timeMs === undefined ? undefined : ageText(now - timeMs)),
      isWhole: true,
    },
    { title: 'STATE', read: ({ state }) => state, isWhole: true },
    { title: 'STORED', read: ({ stored }) => stored, isWhole: true },
  ];
  return tableText(columns, keys, io);
}

export const keysRotate: Command = {
  name: 'keys rotate',
  summary: 'Adds a rotating signing key now, before its time.',
  details: `Instances publish it when they next read the keys (signingKeyReloadIntervalSec, a
minute by default), and sign with it about a minute later. Tokens of the keys before
it stay valid, so nobody is signed out. It needs --config, because algorithm and
sealing of the key are settings of the application.`,
  options: {},
  run: async (call) => {
    const { core, settings, store } = await call.open();
    if (!hasMethod(core, 'rotateSigningKeys'))
      throw new RefusedError('the keys of a remote core are made there: rotate them by its own command');
    if (settings === undefined || store === undefined)
      throw new RefusedError(
        'algorithm and sealing of keys are settings of the application: give them by --config',
      );
    const kid = await (core as unknown as { rotateSigningKeys(): Promise<string> }).rotateSigningKeys();
    const sentence = `Added ${kid}. Instances sign with it about a minute after they have read it.\n`;
    call.io.stdout(isSet(call, 'json') ? jsonText({ kid }) : sentence);
    return EXIT.done;
  },
};
