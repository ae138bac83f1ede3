import { describe, expect, it } from '@jest/globals';
import { SessionEvents, type SessionEvent } from 'nest-sessions';
import { ProcessWarnings } from '../../support/process-warnings.js';
import { ADAPTERS, TestApplication } from '../../support/test-application.js';

/** Keeps the only thread busy. */
function work(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

type Listener = (event: SessionEvent) => unknown;

const BAD_LISTENERS: Readonly<Record<string, Listener>> = {
  throws: () => {
    throw new Error('listener broke');
  },
  rejects: async () => Promise.reject(new Error('listener broke later')),
  'never ends': async () => new Promise(() => undefined),
  'is slow': () => work(30),
};

async function listenWith({ app }: TestApplication, listener: Listener): Promise<SessionEvents> {
  const events = app.get(SessionEvents);
  events.stream.subscribe(listener);
  return events;
}

describe.each(ADAPTERS)('a request on %s (S105)', (adapter) => {
  it.each(Object.entries(BAD_LISTENERS))('is served in full while a listener %s', async (name, listener) => {
    const warnings = new ProcessWarnings();
    try {
      await TestApplication.on(adapter).run(async (application) => {
        await listenWith(application, listener);
        const user = await application.signedIn('cookie');
        expect((await user.refresh()).status).toBe(200);
        expect((await user.get('/me')).status).toBe(200);
        expect((await user.signOut()).status).toBe(200);
        expect(application.events.map(({ type }) => type)).toEqual([
          'session.created',
          'session.refreshed',
          'session.promoted',
          'session.revoked',
        ]);
      });
      const isFailing = name === 'throws' || name === 'rejects';
      expect(warnings.take()).toEqual(
        isFailing ? Array.from({ length: 4 }, () => 'A listener of session events failed') : [],
      );
    } finally {
      warnings.restore();
    }
  });

  it('has its response on the way before a slow listener begins', async () => {
    const steps: string[] = [];
    const handlers = {
      guarded: {
        leave: async (session: { revokeSession(): Promise<void> }) => {
          await session.revokeSession();
          steps.push('handler is done');
          return {};
        },
      },
    };
    const application = await TestApplication.on(adapter).handlers(handlers).start();
    await listenWith(application, ({ type }) => {
      if (type !== 'session.revoked') return;
      steps.push('listener begins');
      work(50);
    });
    const user = await application.signedIn('cookie');
    expect((await user.get('/run/leave')).status).toBe(200);
    await application.app.get(SessionEvents).delivered();
    expect(steps).toEqual(['handler is done', 'listener begins']);
  });
});

describe('at shutdown (S105)', () => {
  it('listeners hear what has not been told yet, then the end of the stream', async () => {
    const heard: string[] = [];
    await TestApplication.on('express').run(async ({ app, sessions }) => {
      app.get(SessionEvents).stream.subscribe({
        next: ({ type }) => heard.push(type),
        complete: () => heard.push('end'),
      });
      for (let i = 0; i < 3; i++) await sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1' });
    });
    expect(heard).toEqual(['session.created', 'session.created', 'session.created', 'end']);
  });
});
