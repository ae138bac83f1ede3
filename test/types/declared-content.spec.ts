import { describe, expect, it } from '@jest/globals';
import { compileBlocks } from '../docs/compiled-blocks.js';

const DECLARED = `
import type { SessionContainer, SessionService } from 'nest-sessions';
import { sessionOf } from 'nest-sessions';

declare module 'nest-sessions' {
  interface SessionPayload { plan: 'free' | 'pro'; trial?: boolean }
  interface SessionDataInDatabase { cart: string[] }
}
`;

const BY_DOOR_WITHOUT_NEST = `
import type { SessionContainer } from 'nest-sessions/standalone';

declare module 'nest-sessions/standalone' {
  interface SessionPayload { plan: 'free' | 'pro' }
}
export const planOf = (session: SessionContainer): 'free' | 'pro' => session.getAccessTokenPayload().plan;
`;

/** The compiler's messages about code of an application that has declared its payload and its data. */
function errorsOf(code: string): string[] {
  const block = { document: 'declared.md', line: 0, language: 'ts', remark: '', code };
  return compileBlocks([block]).flatMap(({ errors }) => [...errors]);
}

describe('payload and data that an application declares once', () => {
  it('are known everywhere, and what is not in them is refused', () => {
    const errors = errorsOf(`${DECLARED}
export async function right(session: SessionContainer, sessions: SessionService, request: object) {
  const plan: 'free' | 'pro' = session.getAccessTokenPayload().plan;
  const seen: 'free' | 'pro' | undefined = sessionOf(request)?.getAccessTokenPayload().plan;
  await session.mergeIntoAccessTokenPayload({ plan: 'pro', trial: null });
  await sessions.mergeIntoAccessTokenPayload('handle', { trial: null });
  await sessions.mergeSessionDataInDatabase('handle', { cart: [] });
  const data: string[] = (await session.getSessionDataFromDatabase()).cart;
  const information = await sessions.getSessionInformation('handle');
  const stored: 'free' | 'pro' | undefined = information?.customClaimsInAccessTokenPayload.plan;
  const cart: string[] | undefined = information?.sessionDataInDatabase.cart;
  const made = await sessions.createNewSession({}, {}, { userId: 'ada', accessTokenPayload: { trial: true } });
  const other: SessionContainer<{ role: string }> = await sessions.getSession<{ role: string }>({}, {});
  return [plan, seen, data, stored, cart, made.getAccessTokenPayload().plan, other.getAccessTokenPayload().role];
}
export async function wrong(session: SessionContainer, sessions: SessionService) {
  // @ts-expect-error not in the payload
  session.getAccessTokenPayload().plann;
  // @ts-expect-error not one of the values
  await session.mergeIntoAccessTokenPayload({ plan: 'gold' });
  // @ts-expect-error not in the payload
  await sessions.mergeIntoAccessTokenPayload('handle', { plann: 'pro' });
  // @ts-expect-error not one of the values
  await sessions.createNewSession({}, {}, { userId: 'ada', accessTokenPayload: { plan: 'gold' } });
  // @ts-expect-error not in the data
  await session.mergeSessionDataInDatabase({ basket: [] });
  // @ts-expect-error the whole of the data, and of the right type
  await sessions.updateSessionDataInDatabase('handle', { cart: 'tea' });
}
`);
    expect(errors).toEqual([]);
  });

  it('can be declared by the door without Nest', () => {
    expect(errorsOf(BY_DOOR_WITHOUT_NEST)).toEqual([]);
  });
});
