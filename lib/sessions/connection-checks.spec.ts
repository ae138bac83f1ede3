import { setImmediate as nextTurn } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { CutOffScope } from '../feed/cut-off-scope.js';
import { ConnectionChecks } from './connection-checks.js';

const FOUND = { userDataInJWT: {} };
const everybody = CutOffScope.everybody();

describe('checking connections after cut-offs', () => {
  let open: Set<string>;
  let ended: string[];
  let asked: string[];
  let response: (handle: string) => Promise<object | undefined>;
  let checks: ConnectionChecks;
  const core = {
    getSessionInformation: async (handle: string) => {
      asked.push(handle);
      return (await response(handle)) as never;
    },
  };
  const userOf = (handle: string): string => handle.split('-')[0] ?? '';

  function connect(user: string, count: number): void {
    for (let n = 0; n < count; n++) open.add(`${user}-${n}`);
  }

  beforeEach(() => {
    [open, ended, asked] = [new Set(), [], []];
    response = async () => FOUND;
    const sessions = () =>
      [...open].map((handle) => ({
        getHandle: () => handle,
        getUserId: () => userOf(handle),
        getRecipeUserId: () => `login of ${userOf(handle)}`,
        getAccessTokenPayload: () => ({}),
      }));
    const connections = new Set([{ sessions, noteUnknownEnds: () => undefined }]);
    checks = new ConnectionChecks(connections, (handle) => {
      ended.push(handle);
      open.delete(handle);
    });
  });

  it('asks about a session once for all cut-offs before the question, and ends it if it is gone', async () => {
    connect('ada', 3);
    connect('bob', 3);
    response = async (handle) => (handle === 'ada-1' ? undefined : FOUND);
    for (const id of ['ada', 'login of ada', 'ada'])
      checks.add(new CutOffScope([{ kind: 'user', id, tenantId: undefined }]));
    await checks.run(core);
    expect([asked, ended]).toEqual([['ada-0', 'ada-1', 'ada-2'], ['ada-1']]);
  });

  it('takes a cut-off that comes during a pass into that pass, and asks again where the response may be older', async () => {
    connect('ada', 1);
    connect('bob', 1);
    const responses: (() => void)[] = [];
    response = async () => new Promise((resolve) => responses.push(() => resolve(FOUND)));
    const ada = new CutOffScope([{ kind: 'user', id: 'ada', tenantId: undefined }]);
    checks.add(ada);
    const first = checks.run(core);
    checks.add(everybody);
    checks.add(ada);
    const second = checks.run(core);
    while (responses.length > 0) {
      responses.shift()?.();
      await nextTurn();
    }
    await Promise.all([first, second]);
    expect(asked).toEqual(['ada-0', 'ada-0', 'bob-0']);
  });

  it('asks 50 questions at once, and no more', async () => {
    connect('ada', 1000);
    let running = 0;
    let most = 0;
    response = async () => {
      most = Math.max(most, ++running);
      await nextTurn();
      running--;
      return FOUND;
    };
    checks.add(everybody);
    await checks.run(core);
    expect([asked.length, most]).toEqual([1000, 50]);
  });

  it('leaves connections open while the core fails, stops asking, and asks about the rest the next time', async () => {
    connect('ada', 200);
    response = async () => {
      throw new Error('connection terminated');
    };
    checks.add(everybody);
    await expect(checks.run(core)).rejects.toThrow('connection terminated');
    expect([asked.length, ended]).toEqual([50, []]);
    asked = [];
    open.delete('ada-7');
    response = async () => undefined;
    await checks.run(core);
    expect([asked.length, ended.length, open.size]).toEqual([199, 199, 0]);
  });
});
