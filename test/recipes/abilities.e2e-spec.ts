import { Controller, Delete, Get, UseGuards } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { OptionalSession, Session, SessionContainer, SessionGuard, UserRoleClaim } from 'nest-sessions';
import { ADAPTERS, TestApplication } from '../support/test-application.js';
import { AbilityGuard, abilityOf, RequireAbility } from './shown/abilities.js';

@Controller('articles')
@UseGuards(SessionGuard, AbilityGuard)
class ArticlesController {
  @Get() @RequireAbility('read', 'Article') list() { return []; } // prettier-ignore
  @Delete() @RequireAbility('delete', 'Article') remove() { return 'gone'; } // prettier-ignore
  @Get('open') open() { return 'open'; } // prettier-ignore
  @Get('strangers') @OptionalSession() @RequireAbility('read', 'Article') strangers() { return []; } // prettier-ignore

  @Get('mine')
  mine(@Session() session: SessionContainer) {
    const ability = abilityOf(session);
    const by = (authorId: string) => ability.can('update', { kind: 'Article', authorId });
    return { own: by('ada'), other: by('bob') };
  }
}

describe.each(ADAPTERS)('the recipe for CASL on %s', (adapter) => {
  async function started(roles: string[]) {
    const { clientOf, client, testSessions } = await TestApplication.on(adapter)
      .with({ claims: [UserRoleClaim], userRoles: { getRolesForUser: () => roles } })
      .controllers(ArticlesController)
      .start();
    return {
      ada: clientOf(await testSessions.createTestSession({ userId: 'ada' }), 'header'),
      stranger: client(),
    };
  }
  const remove = { method: 'DELETE', path: '/articles' };

  it('lets users do what their roles allow, and says what they may not', async () => {
    const { ada, stranger } = await started([]);
    expect((await ada.get('/articles')).status).toBe(200);
    expect((await ada.get('/articles/open')).status).toBe(200);
    const refused = await ada.send(remove);
    expect([refused.status, refused.body]).toMatchObject([403, { message: 'You may not delete Article' }]);
    expect((await ada.get('/articles/mine')).body).toEqual({ own: true, other: false });
    expect((await stranger.get('/articles/strangers')).status).toBe(403);
  });

  it('reads the roles of the token', async () => {
    const { ada } = await started(['editor']);
    expect((await ada.send(remove)).status).toBe(200);
    expect((await ada.get('/articles/mine')).body).toEqual({ own: true, other: true });
  });
});
