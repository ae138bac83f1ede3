import { Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { describe, expect, it } from '@jest/globals';
import { SessionHealthIndicator } from 'nest-sessions/integrations';
import { seededMemoryStore } from '../support/embedded.js';
import { interceptedStore } from '../support/intercepted-store.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';
import { HealthModule } from './shown/health.js';

/** A store that fails, or never responds, on demand. */
async function weakStore() {
  const state: { mood: 'well' | 'failing' | 'silent' } = { mood: 'well' };
  const store = interceptedStore(await seededMemoryStore(), async (_name, call) => {
    if (state.mood === 'failing') throw new Error('SECRET-HOST does not respond');
    if (state.mood === 'silent') return new Promise(() => undefined);
    return call();
  });
  return { store, state };
}

describe.each(ADAPTERS)('the recipe for Terminus on %s', (adapter) => {
  it('reports sessions as up while the core responds, and as down while its store is away', async () => {
    const { store, state } = await weakStore();
    const { client } = await TestApplication.on(adapter).store(store).imports(HealthModule).start();
    const up = await client().get('/health/ready');
    expect([up.status, up.body]).toMatchObject([200, { status: 'ok', info: { sessions: { status: 'up' } } }]);
    state.mood = 'failing';
    const down = await client().get('/health/ready');
    state.mood = 'well';
    const message = 'the core of the sessions does not respond';
    expect([down.status, down.body]).toMatchObject([
      503,
      { status: 'error', error: { sessions: { status: 'down', message } } },
    ]);
    expect(down.text).not.toContain('SECRET');
  });
});

describe('SessionHealthIndicator', () => {
  it('is down when the core takes too long', async () => {
    const { store, state } = await weakStore();
    const { get } = await TestApplication.withoutServer().store(store).imports(HealthModule).start();
    const indicator = get(SessionHealthIndicator);
    expect(await indicator.isHealthy()).toEqual({ sessions: { status: 'up' } });
    state.mood = 'silent';
    const result = await indicator.isHealthy('db', { timeoutMs: 1 });
    state.mood = 'well';
    expect(result).toMatchObject({ db: { status: 'down' } });
  });

  it('says what is missing in an application without SessionModule', async () => {
    @Module({ providers: [SessionHealthIndicator] })
    class WithoutSessions {}
    const compiled = Test.createTestingModule({ imports: [WithoutSessions] }).compile();
    await expect(compiled).rejects.toThrow(
      /SessionModule\.forRoot\(\) is missing in the imports of the root module/,
    );
  });
});
