import { Controller, Get, UseGuards } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import {
  PermissionClaim,
  RequirePermissions,
  RequireRoles,
  SessionGuard,
  UserRoleClaim,
} from 'nest-sessions';
import type { RoleRequirement } from 'nest-sessions/core';
import { ADAPTERS, TestApplication } from '../../support/test-application.js';

@Controller()
@UseGuards(SessionGuard)
class ArticlesController {
  @Get('admin') @RequireRoles('admin') admin() {} // prettier-ignore
  @Get('both') @RequireRoles('admin', 'editor') both() {} // prettier-ignore
  @Get('either') @RequireRoles({ any: ['admin', 'editor'] }) either() {} // prettier-ignore
  @Get('fresh') @RequireRoles({ all: ['editor'], maxAgeSec: 300 }) fresh() {} // prettier-ignore
  @Get('write') @RequirePermissions('write') write() {} // prettier-ignore
  @Get('remove') @RequirePermissions({ any: ['remove', 'burn'] }) remove() {} // prettier-ignore
  @Get('all') @RequireRoles('editor') @RequirePermissions('remove') all() {} // prettier-ignore
}

const permissionsOfRoles: Record<string, string[]> = { admin: ['remove'], editor: ['write'] };
const PATHS = ['admin', 'both', 'either', 'fresh', 'write', 'remove', 'all'];

describe.each(ADAPTERS)('roles and permissions that a route requires, on %s', (adapter) => {
  async function started(roles: readonly string[]) {
    const rolesOfUser = [...roles];
    const application = await TestApplication.on(adapter)
      .with({
        claims: [UserRoleClaim, PermissionClaim],
        userRoles: {
          getRolesForUser: () => rolesOfUser,
          getPermissionsForRole: ({ role }) => permissionsOfRoles[role] ?? [],
        },
      })
      .controllers(ArticlesController)
      .start();
    const browser = application.clientOf(
      await application.testSessions.createTestSession({ userId: 'user-1' }),
    );
    return { browser, rolesOfUser, clock: application.clock };
  }

  it.each<[string[], string[]]>([
    [[], []],
    [['editor'], ['either', 'fresh', 'write']],
    [['admin'], ['admin', 'either', 'remove']],
    [['admin', 'editor'], PATHS],
  ])('let a user with %j in where he has all of the names, or one of any', async (roles, passed) => {
    const { browser } = await started(roles);
    const statuses = await Promise.all(PATHS.map(async (path) => (await browser.get(`/${path}`)).status));
    expect(PATHS.filter((_path, index) => statuses[index] === 200)).toEqual(passed);
    expect(statuses.filter((status) => status !== 200 && status !== 403)).toEqual([]);
  });

  it('respond to a refusal with the claim that @RequireClaims would name', async () => {
    const { browser } = await started(['editor']);
    expect((await browser.get('/all')).body).toEqual({
      message: 'invalid claim',
      claimValidationErrors: [{ id: 'st-perm', reason: { message: 'wrong value' } }],
    });
  });

  it('look a role up again that is older than maxAgeSec', async () => {
    const { browser, rolesOfUser, clock } = await started(['editor']);
    rolesOfUser.length = 0;
    expect((await browser.get('/fresh')).status).toBe(200);
    clock.advanceSeconds(301);
    expect((await browser.get('/fresh')).status).toBe(403);
  });
});

describe('roles that no user could have', () => {
  it.each<[string, readonly unknown[]]>([
    ['no name', []],
    ['an empty name', ['']],
    ['an empty list', [{ any: [] }]],
    ['nothing in the object', [{}]],
    ['a misspelt word', [{ any: ['admin'], maxAge: 3 }]],
    ['a list among the arguments', [['admin']]],
    ['a number', [7]],
    ['null', [null]],
    ['an object beside a name', ['admin', { any: ['editor'] }]],
    ['a negative age', [{ all: ['admin'], maxAgeSec: -1 }]],
  ])('are refused when the class is defined: %s', (_case, given) => {
    const wrong = given as readonly [RoleRequirement];
    expect(() => RequireRoles(...wrong)).toThrow(
      /^@RequireRoles takes names, all of which are needed, or .*@RequireRoles\('admin'\) for example$/,
    );
    expect(() => RequirePermissions(...wrong)).toThrow(/^@RequirePermissions takes names/);
  });
});
