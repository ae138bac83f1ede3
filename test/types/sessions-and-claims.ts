// Compile-only: the payload is typed as far as an application says what is in it, a claim's value everywhere.
import { Controller, Get } from '@nestjs/common';
import {
  BooleanClaim,
  PrimitiveArrayClaim,
  PrimitiveClaim,
  RequireClaims,
  Session,
  SessionContainer,
  SessionService,
  type RecipeInterface,
  type SessionClaimValidator,
  type SessionInformation,
} from 'nest-sessions';
import type { ClaimPrimitive, CreateJWTResult } from 'nest-sessions/core';

type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function pin<T extends true>(): T | undefined {
  return undefined;
}

/** An interface: such a one has no index signature, and must be good enough for a payload. */
interface Payload {
  plan: 'free' | 'pro';
  seats: { limit: number };
  trial?: boolean;
}
interface Cart {
  items: string[];
}

const PlanClaim = new PrimitiveClaim<'free' | 'pro'>({ key: 'plan', fetchValue: () => 'free' });
const ScopesClaim = new PrimitiveArrayClaim<string>({ key: 'scopes', fetchValue: () => ['read'] });
const LevelClaim = new PrimitiveClaim<number>({ key: 'level', fetchValue: async () => 1 });
const VerifiedClaim = new BooleanClaim({ key: 'verified', fetchValue: () => undefined });

@Controller()
export class TypedController {
  @Get('a')
  @RequireClaims(VerifiedClaim.validators.isTrue(60))
  everything(
    @Session() session: SessionContainer<Payload>,
    @Session('sessionHandle') handle: string,
    @Session('tenantId') tenantId: string,
    @Session('recipeUserId') recipeUserId: string,
    @Session('accessTokenPayload') payload: Payload,
    @Session(PlanClaim) plan: 'free' | 'pro' | undefined,
  ): unknown[] {
    // @ts-expect-error not in the payload
    const misspelt: unknown = session.getAccessTokenPayload().plann;
    // @ts-expect-error the payload is changed by a merge, not by an assignment
    session.getAccessTokenPayload().plan = 'pro';
    return [handle, tenantId, recipeUserId, payload.plan, plan, misspelt];
  }

  @Get('b')
  // @ts-expect-error a claim's key is no property
  key(@Session('plan') plan: string): string {
    return plan;
  }

  @Get('c')
  // @ts-expect-error a validator is no claim
  validator(@Session(PlanClaim.validators.hasValue('pro')) plan: string): string {
    return plan;
  }
}

export async function payloads(sessions: SessionService, session: SessionContainer<Payload>): Promise<void> {
  await session.mergeIntoAccessTokenPayload({ plan: 'pro' });
  await session.mergeIntoAccessTokenPayload({ trial: null, seats: { limit: 5 } });
  // @ts-expect-error not in the payload
  await session.mergeIntoAccessTokenPayload({ plann: 'pro' });
  // @ts-expect-error not one of the values
  await session.mergeIntoAccessTokenPayload({ plan: 'gold' });
  // @ts-expect-error a merge replaces what is below as a whole
  await session.mergeIntoAccessTokenPayload({ seats: {} });

  const untyped = await sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1' });
  await untyped.mergeIntoAccessTokenPayload({ whatever: [1, { is: 'JSON' }], gone: null });
  // @ts-expect-error a function is no JSON
  await untyped.mergeIntoAccessTokenPayload({ whatever: () => {} });

  const information = await sessions.getSessionInformation<Payload>(session.getHandle());
  pin<Equals<typeof information, SessionInformation<Payload> | undefined>>();
  pin<Equals<NonNullable<typeof information>['customClaimsInAccessTokenPayload'], Payload>>();

  const cart: Cart = { items: [] };
  await session.updateSessionDataInDatabase(cart);
  await session.mergeSessionDataInDatabase(cart);
  await sessions.mergeSessionDataInDatabase(session.getHandle(), cart);
  await sessions.createNewSession({}, {}, { userId: 'user-1', sessionDataInDatabase: cart });
  // @ts-expect-error an object
  await session.updateSessionDataInDatabase('cart');
}

export async function outcomes(sessions: SessionService): Promise<string> {
  const input = { accessToken: 'token' };
  const required = await sessions.getSessionWithoutRequestResponse<Payload>(input);
  pin<Equals<typeof required, SessionContainer<Payload>>>();
  const optional = await sessions.getSessionWithoutRequestResponse<Payload>({
    ...input,
    sessionRequired: false,
  });
  pin<Equals<typeof optional, SessionContainer<Payload> | undefined>>();
  // @ts-expect-error there is no such option
  await sessions.getSessionWithoutRequestResponse({ ...input, checkDatabse: true });
  // @ts-expect-error a user, not his id
  await sessions.revokeAllSessionsForUser('user-1');

  const result = await sessions.createJWT({ payload: { sub: 'x' }, validitySeconds: 60 });
  pin<Equals<typeof result, CreateJWTResult>>();
  // @ts-expect-error there is a JWT only when the status says so
  const jwt: unknown = result.jwt;
  return result.status === 'OK' ? result.jwt : `${result.status}${String(jwt)}`;
}

export async function claims(sessions: SessionService, session: SessionContainer): Promise<void> {
  pin<Equals<Awaited<ReturnType<typeof level>>, number | undefined>>();
  const level = () => session.getClaimValue(LevelClaim);
  pin<Equals<Awaited<ReturnType<typeof verified>>, boolean | undefined>>();
  const verified = () => session.getClaimValue(VerifiedClaim);
  pin<Equals<Awaited<ReturnType<typeof scopes>>, string[] | undefined>>();
  const scopes = () => session.getClaimValue(ScopesClaim);

  await session.setClaimValue(ScopesClaim, ['write']);
  // @ts-expect-error a list
  await session.setClaimValue(ScopesClaim, 'write');
  // @ts-expect-error a number
  await sessions.setClaimValue(session.getHandle(), LevelClaim, '2');
  // @ts-expect-error a claim, not its key
  await sessions.fetchAndSetClaim(session.getHandle(), 'level');
  // @ts-expect-error validators, not claims
  await session.assertClaims([LevelClaim]);

  pin<Equals<ReturnType<typeof LevelClaim.validators.hasValue>, SessionClaimValidator>>();
  LevelClaim.validators.hasFreshValue(1, 60, 'id');
  // @ts-expect-error a number
  LevelClaim.validators.hasValue('1');
  // @ts-expect-error a number of seconds
  LevelClaim.validators.hasFreshValue(1, '60');
  // @ts-expect-error one of the list's values, not a list
  ScopesClaim.validators.includes(['read']);
  // @ts-expect-error a list of the list's values
  ScopesClaim.validators.includesAll('read');
  // @ts-expect-error only a boolean claim is true or false
  PlanClaim.validators.isTrue();

  // @ts-expect-error fetchValue must return one of the claim's values
  const gold = new PrimitiveClaim<'free' | 'pro'>({ key: 'plan', fetchValue: () => 'gold' });
  // @ts-expect-error an object is no primitive
  const deep = new PrimitiveClaim<{ deep: true }>({ key: 'deep', fetchValue: () => ({ deep: true }) });
  // @ts-expect-error a claim has a key
  const keyless = new BooleanClaim({ fetchValue: () => true });
  await Promise.all([session.removeClaim(gold), session.removeClaim(deep), session.removeClaim(keyless)]);
  pin<Equals<ClaimPrimitive, string | number | boolean | null>>();
}

export function overrides(original: RecipeInterface): RecipeInterface[] {
  const replaced: RecipeInterface = {
    ...original,
    revokeSession: async ({ sessionHandle, userContext }) =>
      sessionHandle !== '' && userContext !== undefined,
    getGlobalClaimValidators: ({ claimValidatorsAddedByOtherRecipes }) => claimValidatorsAddedByOtherRecipes,
  };
  // @ts-expect-error returns a boolean
  const telling: RecipeInterface = { ...original, revokeSession: async () => 'done' };
  // @ts-expect-error there is no such function
  const misspelt: RecipeInterface = { ...original, revokeSesion: async () => true };
  return [replaced, telling, misspelt];
}
