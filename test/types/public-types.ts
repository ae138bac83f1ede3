// Compile-only: `npm run typecheck` fails when one of these promises is broken. Each `@ts-expect-error` is a mistake of
// a user that must not compile.
import { Controller, Get } from '@nestjs/common';
import {
  BooleanClaim,
  embeddedCore,
  PermissionClaim,
  PrimitiveArrayClaim,
  PrimitiveClaim,
  RequireClaims,
  Session,
  SessionContainer,
  SessionModule,
  SessionService,
  UserRoleClaim,
  VerifySession,
  type AnySessionError,
  type SessionEvent,
  type SessionModuleOptions,
} from 'nest-sessions';
import type { GetClaimValueResult } from 'nest-sessions/core';

type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function pin<T extends true>(): T | undefined {
  return undefined;
}

interface Payload {
  plan: 'free' | 'pro';
  trial?: string;
}

const PlanClaim = new PrimitiveClaim<'free' | 'pro'>({ key: 'plan', fetchValue: () => 'free' });
const ScopesClaim = new PrimitiveArrayClaim<string>({ key: 'scopes', fetchValue: async () => ['read'] });
const VerifiedClaim = new BooleanClaim({ key: 'verified', fetchValue: () => true });

// A typed payload comes through @Session() and the functions, without declaration merging.
@Controller()
export class TypedController {
  @Get('a')
  @RequireClaims(PlanClaim.validators.hasValue('pro'), ScopesClaim.validators.includesAll(['read', 'write']))
  @VerifySession({ checkDatabase: true, antiCsrfCheck: false })
  payload(@Session() session: SessionContainer<Payload>, @Session('userId') userId: string): string {
    pin<Equals<ReturnType<typeof session.getAccessTokenPayload>, Readonly<Payload>>>();
    return session.getAccessTokenPayload().plan + userId;
  }

  @Get('b')
  // @ts-expect-error there is no such property
  property(@Session('userID') userId: string): string {
    return userId;
  }

  @Get('c')
  // @ts-expect-error an object is no claim
  claim(@Session({ key: 'plan' }) plan: string): string {
    return plan;
  }

  @Get('d')
  // @ts-expect-error there is no such option
  @VerifySession({ checkDatabse: true })
  option(): void {}

  @Get('e')
  // @ts-expect-error a claim is no validator
  @RequireClaims(PlanClaim)
  validator(): void {}
}

export async function service(sessions: SessionService, session: SessionContainer<Payload>): Promise<void> {
  await session.mergeIntoAccessTokenPayload({ plan: 'free', trial: null });
  const made = await sessions.createNewSession<Payload>({}, {}, { userId: 'u' });
  pin<Equals<typeof made, SessionContainer<Payload>>>();
  // @ts-expect-error a session needs a user
  await sessions.createNewSession({}, {}, {});

  pin<Equals<Awaited<ReturnType<typeof optional>>, SessionContainer | undefined>>();
  const optional = () => sessions.getSession({}, {}, { sessionRequired: false });
  pin<Equals<Awaited<ReturnType<typeof required>>, SessionContainer>>();
  const required = () => sessions.getSession({}, {});

  // The type of a claim's value is known wherever it is read or set.
  const plan = await session.getClaimValue(PlanClaim);
  pin<Equals<typeof plan, 'free' | 'pro' | undefined>>();
  const scopes = await sessions.getClaimValue('handle', ScopesClaim);
  pin<Equals<typeof scopes, GetClaimValueResult<string[]>>>();
  await session.setClaimValue(VerifiedClaim, false);
  // @ts-expect-error not one of the claim's values
  await session.setClaimValue(PlanClaim, 'gold');
  // @ts-expect-error not one of the claim's values
  await sessions.setClaimValue('handle', VerifiedClaim, 'yes');
  // @ts-expect-error a role is a text
  UserRoleClaim.validators.includes(1);
  PermissionClaim.validators.excludes('delete');
}

/** Errors and events are unions to switch over. */
export function switches(error: AnySessionError, event: SessionEvent): string {
  switch (error.type) {
    case 'UNAUTHORISED':
      return String(error.payload.clearTokens);
    case 'TRY_REFRESH_TOKEN':
    case 'CLEAR_DUPLICATE_SESSION_COOKIES':
      return error.message;
    case 'TOKEN_THEFT_DETECTED':
      return error.payload.recipeUserId;
    case 'INVALID_CLAIMS':
      return error.payload.map((claim) => claim.id).join();
  }
  switch (event.type) {
    case 'session.theft-detected':
      return event.recipeUserId;
    case 'session.revoked':
      return event.userId ?? event.sessionHandle;
    case 'key.rotated':
      return event.previousKid ?? event.kid;
    case 'revocations.state':
      return event.state + event.previousState + event.feed;
    case 'revocations.overflow':
      return event.kept.toFixed();
    case 'sessions.ended-before':
      return (event.tenantId ?? '') + event.createdBeforeMs.toFixed() + (event.reason ?? '');
    case 'core.unavailable':
      return event.message;
    case 'core.available':
      return event.failedCalls.toFixed() + event.unavailableSinceMs.toFixed();
    default:
      return event.userId + (event.ip ?? '') + (event.userAgent ?? '') + event.timeMs.toFixed();
  }
}

const appInfo = { appName: 'App', apiDomain: 'http://localhost', websiteDomain: 'http://localhost' };

export const complete: SessionModuleOptions = {
  appInfo: {
    ...appInfo,
    apiBasePath: '/auth',
    apiGatewayPath: '/gw',
    origin: ({ request }) => request?.getHeaderValue('origin') ?? '',
  },
  core: embeddedCore({ accessTokenValiditySec: 60 }),
  cookieSameSite: 'lax',
  antiCsrf: 'VIA_TOKEN',
  getTokenTransferMethod: ({ req, forCreateNewSession }) =>
    forCreateNewSession && req.getMethod() === 'post' ? 'cookie' : 'any',
  claims: [PlanClaim, ScopesClaim, VerifiedClaim],
  globalClaimValidators: [VerifiedClaim.validators.isTrue(60)],
  override: {
    functions: (original) => ({ ...original, revokeSession: (input) => original.revokeSession(input) }),
    apis: (original) => ({ ...original, signOutPOST: undefined }),
  },
  errorHandlers: { onUnauthorised: (_message, _request, response) => response.sendJSONResponse({}) },
  userRoles: { getRolesForUser: ({ userId }) => [userId] },
};

// Each option has its type.
// @ts-expect-error appInfo is required
SessionModule.forRoot({});
// @ts-expect-error not a mode
SessionModule.forRoot({ appInfo, antiCsrf: 'TOKEN' });
// @ts-expect-error not a same-site value
SessionModule.forRoot({ appInfo, cookieSameSite: 'Lax' });
// @ts-expect-error a number of seconds
embeddedCore({ accessTokenValiditySec: '60' });
// @ts-expect-error there is no such option
SessionModule.forRoot({ appInfo, cookieDomian: 'x' });
SessionModule.forRootAsync({ useFactory: () => ({ appInfo }), isGlobal: false });
// @ts-expect-error the factory makes options
SessionModule.forRootAsync({ useFactory: () => ({ appName: 'x' }) });
