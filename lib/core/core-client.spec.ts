import { describe, expect, it } from '@jest/globals';
import { CoreUnavailableError } from '../errors.js';
import type { JsonObject } from '../util/json.js';
import { CoreClient } from './core-client.js';
import type { CoreSessionInformation, CreateSessionInput } from './core.types.js';

type Information = CoreSessionInformation | undefined;

/** As much of a core as the emulated cap asks. A session ends on its own between being listed and being looked up. */
abstract class ListingCore extends CoreClient {
  readonly revoked: string[] = [];

  constructor(
    private readonly listed: readonly string[],
    private readonly endedMeanwhile: readonly string[],
  ) {
    super();
  }

  override getPrimaryUserId = async (userId: string): Promise<string> => userId;
  override getSessionHandlesOfUser = async (): Promise<string[]> => [...this.listed];
  override getSessionInformation = async (sessionHandle: string): Promise<Information> =>
    this.endedMeanwhile.includes(sessionHandle)
      ? undefined
      : ({ sessionHandle, timeCreated: this.listed.indexOf(sessionHandle) } as CoreSessionInformation);
  revocationFailure: CoreUnavailableError | undefined;
  override revokeSessions = async (handles: readonly string[]): Promise<string[]> => {
    if (this.revocationFailure !== undefined) throw this.revocationFailure;
    this.revoked.push(...handles);
    return [...handles];
  };
  failure: Error | undefined;
  override createSession = async (): Promise<never> => {
    if (this.failure !== undefined) throw this.failure;
    return {} as never;
  };
}

/** As much of a core as a change of the payload asks, where a core of the application's own does not make it itself. */
abstract class PayloadCore extends CoreClient {
  constructor(readonly payloads: Map<string, JsonObject>) {
    super();
  }

  override getSessionInformation = async (sessionHandle: string): Promise<Information> => {
    const userDataInJWT = this.payloads.get(sessionHandle);
    return userDataInJWT && ({ sessionHandle, userDataInJWT } as unknown as CoreSessionInformation);
  };
  override updateAccessTokenPayload = async (
    sessionHandle: string,
    payload: JsonObject,
  ): Promise<boolean> => {
    this.payloads.set(sessionHandle, payload);
    return true;
  };
}

describe('the emulated change of a payload', () => {
  it('sets and removes the names that it gives and leaves the others as they are; unknown sessions stay so', async () => {
    const Emulating = PayloadCore as unknown as new (payloads: Map<string, JsonObject>) => PayloadCore;
    const core = new Emulating(new Map([['a', { kept: 1, byAnother: 2, gone: 3 }]]));
    const change = { set: { added: 4, none: null }, remove: ['gone', 'never'] };
    expect(await core.changeAccessTokenPayload('a', change, {})).toBe(true);
    expect(await core.changeAccessTokenPayload('b', change, {})).toBe(false);
    expect(Object.fromEntries(core.payloads)).toEqual({ a: { kept: 1, byAnother: 2, added: 4, none: null } });
  });
});

const NEW = { tenantId: 'public', recipeUserId: 'ada' } as CreateSessionInput;
const Core = ListingCore as unknown as new (...ids: (readonly string[])[]) => ListingCore;

describe('the emulated end of many sessions', () => {
  it('names those that ended before the core failed', async () => {
    const failure = new CoreUnavailableError('the core is gone');
    const core = new Core([], []);
    core.revokeSessionsOfUser = async ({ userId }) => {
      if (userId === 'c') throw failure;
      return [`${userId}-1`, `${userId}-2`];
    };
    const input = { tenantId: undefined, userIds: ['a', 'b', 'c', 'd'], createdBeforeMs: undefined };
    await expect(core.revokeInBulk(input, {})).rejects.toBe(failure);
    expect(failure.endedHandles).toEqual(['a-1', 'a-2', 'b-1', 'b-2']);
  });
});

describe('the emulated cap on sessions', () => {
  it.each([
    [['a', 'b'], [], ['a']],
    [['a', 'b'], ['a'], []],
    [['a', 'b', 'c', 'd'], ['b'], ['a', 'c']],
  ])(
    'of %j, of which %j sign out meanwhile, ends %j and nobody else (S038)',
    async (listed, endedMeanwhile, ended) => {
      const core = new Core(listed, endedMeanwhile);
      await core.createSessionWithinLimit(NEW, { max: 2, whenExceeded: 'end-oldest' }, {});
      expect(core.revoked).toEqual(ended);
    },
  );

  it('tells whom it ended although the new session could not be made, and why not (S038)', async () => {
    const core = new Core(['a', 'b'], []);
    core.failure = new Error('the core is gone');
    const result = await core.createSessionWithinLimit(NEW, { max: 1, whenExceeded: 'end-oldest' }, {});
    expect(result).toEqual({
      status: 'CREATION_FAILED',
      endedHandles: ['a', 'b'],
      failure: new Error('the core is gone'),
    });
  });

  it('tells whom it ended although the others could not be ended (S038)', async () => {
    const core = new Core(['a', 'b'], []);
    const failure = new CoreUnavailableError('the core is gone');
    core.revocationFailure = Object.assign(failure, { endedHandles: ['a'] });
    const result = await core.createSessionWithinLimit(NEW, { max: 1, whenExceeded: 'end-oldest' }, {});
    expect(result).toEqual({ status: 'CREATION_FAILED', endedHandles: ['a'], failure });
  });

  it('fails as it is where nobody was ended', async () => {
    const core = new Core(['a'], []);
    core.failure = new Error('the core is gone');
    const creation = core.createSessionWithinLimit(NEW, { max: 2, whenExceeded: 'end-oldest' }, {});
    await expect(creation).rejects.toThrow('the core is gone');
  });
});
