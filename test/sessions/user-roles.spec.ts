import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  PermissionClaim,
  UserRoleClaim,
  type SessionModuleOptions,
  type UserContext,
  type UserRoleSource,
} from 'nest-sessions';
import { TestApplication } from '../support/test-application.js';
import { sessionErrorOf } from '../support/session-error-of.js';

const asked: { userId: string; tenantId: string; userContext: UserContext }[] = [];
let rolesOf: Readonly<Record<string, string[]>> = {};

/** Roles of user-1 by tenant, and what each role may do. */
const userRoles: UserRoleSource = {
  getRolesForUser: async (input) => {
    asked.push(input);
    return rolesOf[input.tenantId] ?? [];
  },
  getPermissionsForRole: async ({ role }) => ({ editor: ['read', 'write'], auditor: ['read'] })[role] ?? [],
};

const WITH_ROLES: Partial<SessionModuleOptions> = { userRoles, claims: [UserRoleClaim, PermissionClaim] };

beforeEach(() => {
  asked.length = 0;
  rolesOf = { public: ['editor', 'auditor'], t1: ['auditor'] };
});

describe('roles and permissions of a session', () => {
  it("are the user's in the tenant that he signed in to", async () => {
    const { sessions } = await TestApplication.withoutServer().with(WITH_ROLES).start();
    const userContext: UserContext = {};
    const input = { userId: 'user-1', userContext };
    const session = await sessions.createNewSessionWithoutRequestResponse(input);
    expect(await session.getClaimValue(UserRoleClaim)).toEqual(['editor', 'auditor']);
    expect(await session.getClaimValue(PermissionClaim)).toEqual(['read', 'write']);
    const payload = session.getAccessTokenPayload();
    expect(payload).toMatchObject({
      'st-role': { v: ['editor', 'auditor'] },
      'st-perm': { v: ['read', 'write'] },
    });
    const elsewhere = await sessions.createNewSessionWithoutRequestResponse({ ...input, tenantId: 't1' });
    expect(await elsewhere.getClaimValue(PermissionClaim)).toEqual(['read']);
    expect(asked.map(({ userId, tenantId }) => [userId, tenantId])).toEqual([
      ['user-1', 'public'],
      ['user-1', 'public'],
      ['user-1', 't1'],
      ['user-1', 't1'],
    ]);
    expect(asked.every((call) => call.userContext === userContext)).toBe(true);
  });

  it('are fetched for the tenant of the session wherever they are fetched again (S094)', async () => {
    const { sessions } = await TestApplication.withoutServer().with({ userRoles }).start();
    const session = await sessions.createNewSessionWithoutRequestResponse({
      userId: 'user-1',
      tenantId: 't1',
    });
    const accessToken = session.getAccessToken();
    const auditor = UserRoleClaim.validators.includes('auditor');
    await sessions.getSessionWithoutRequestResponse({
      accessToken,
      overrideGlobalClaimValidators: () => [auditor],
    });
    await sessions.removeClaim(session.getHandle(), UserRoleClaim);
    expect(await sessions.validateClaimsForSessionHandle(session.getHandle(), () => [auditor])).toEqual({
      status: 'OK',
      invalidClaims: [],
    });
    expect(await sessions.getClaimValue(session.getHandle(), UserRoleClaim)).toEqual({
      status: 'OK',
      value: ['auditor'],
    });
    expect(
      (await sessions.getSessionInformation(session.getHandle()))?.customClaimsInAccessTokenPayload,
    ).not.toHaveProperty('tId');
    await session.fetchAndSetClaim(UserRoleClaim);
    await session.fetchAndSetClaim(UserRoleClaim, {}); // a context of the caller's own
    await sessions.fetchAndSetClaim(session.getHandle(), UserRoleClaim);
    await session.assertClaims([UserRoleClaim.validators.includes('auditor', 0)], {});
    expect(asked.length).toBeGreaterThanOrEqual(5);
    expect(new Set(asked.map(({ tenantId }) => tenantId))).toEqual(new Set(['t1']));
  });

  it('guard: who lacks the role is refused until it was given and fetched again', async () => {
    const { sessions } = await TestApplication.withoutServer().with(WITH_ROLES).start();
    const session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1' });
    const validators = [UserRoleClaim.validators.includes('admin')];
    expect(await sessionErrorOf(session.assertClaims(validators))).toMatchObject({
      payload: [
        {
          id: 'st-role',
          reason: {
            message: 'wrong value',
            expectedToInclude: 'admin',
            actualValue: ['editor', 'auditor'],
          },
        },
      ],
    });
    rolesOf = { public: ['admin'] };
    await session.fetchAndSetClaim(UserRoleClaim);
    await session.assertClaims(validators);
    await expect(session.assertClaims([PermissionClaim.validators.excludes('read')])).rejects.toMatchObject({
      type: 'INVALID_CLAIMS',
    });
  });

  it('that come from nowhere are an error that names the option', async () => {
    const { sessions } = await TestApplication.withoutServer().start();
    const session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1' });
    await expect(session.fetchAndSetClaim(UserRoleClaim)).rejects.toThrow(
      'set the option userRoles of SessionModule',
    );
  });

  it('ask for getPermissionsForRole only where permissions are used', async () => {
    const source: UserRoleSource = { getRolesForUser: () => ['editor'] };
    const { sessions } = await TestApplication.withoutServer()
      .with({ userRoles: source, claims: [UserRoleClaim] })
      .start();
    const session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1' });
    expect(await session.getClaimValue(UserRoleClaim)).toEqual(['editor']);
    await expect(session.fetchAndSetClaim(PermissionClaim)).rejects.toThrow(
      'PermissionClaim needs userRoles.getPermissionsForRole of SessionModule',
    );
  });

  it('of two applications in one process do not meet (S080)', async () => {
    const startWith = (roles: string[]) =>
      TestApplication.withoutServer()
        .with({ userRoles: { getRolesForUser: () => roles }, claims: [UserRoleClaim] })
        .start();
    const first = await startWith(['admin']);
    const second = await startWith([]);
    const [a, b] = await Promise.all(
      [first, second].map(({ sessions }) =>
        sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1' }),
      ),
    );
    expect(await a?.getClaimValue(UserRoleClaim)).toEqual(['admin']);
    expect(await b?.getClaimValue(UserRoleClaim)).toEqual([]);
  });
});
