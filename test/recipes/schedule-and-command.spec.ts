import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { SchedulerRegistry } from '@nestjs/schedule';
import { describe, expect, it } from '@jest/globals';
import { filter, firstValueFrom } from 'rxjs';
import { embeddedCore, SessionEvents, SessionModule, SessionService, sqliteStore } from 'nest-sessions';
import { TestClock } from 'nest-sessions/testing';
import { SHOP, TestApplication } from '../support/test-application.js';
import { signOut } from './shown/command.js';
import { TasksModule } from './shown/schedule.js';

describe('the recipe for @nestjs/schedule', () => {
  it('ends old sessions at its time, and says why', async () => {
    const now = new TestClock(Date.now()); // as in the job, which counts from the time of day
    const { get } = await TestApplication.withoutServer().clock(now).imports(TasksModule).start();
    const job = get(SchedulerRegistry).getCronJob('old-sessions');
    expect(job.cronTime.source).toBe('0 03 * * *');
    const ended = firstValueFrom(
      get(SessionEvents).stream.pipe(filter(({ type }) => type === 'sessions.ended-before')),
    );
    void job.fireOnTick();
    expect(await ended).toMatchObject({ reason: 'too old', initiator: 'nightly' });
  });
});

/** An application whose sessions are in a file, as several processes share them. */
function applicationOn(path: string): Type {
  @Module({
    imports: [
      SessionModule.forRoot({
        appInfo: SHOP,
        core: embeddedCore({ store: sqliteStore(path) }),
        requestProperty: 'session', // there are no requests, and that is no error
        logStartup: false,
      }),
    ],
  })
  class AppModule {}
  return AppModule;
}

describe('the recipe for the command line', () => {
  it('ends the sessions of a user in a process without a server', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-recipes-'));
    const path = join(folder, 'sessions.db');
    const app = await NestFactory.createApplicationContext(applicationOn(path), { logger: false });
    try {
      const sessions = app.get(SessionService);
      await sessions.createNewSessionWithoutRequestResponse({ userId: 'ada' });
      await sessions.createNewSessionWithoutRequestResponse({ userId: 'ada' });
      expect(await signOut(applicationOn(path), undefined)).toBe('Whose sessions? Give the id of a user.');
      expect(await signOut(applicationOn(path), 'ada')).toBe('2 sessions of ada have ended.');
      expect(await sessions.getAllSessionHandlesForUser({ userId: 'ada' })).toEqual([]);
    } finally {
      await app.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
