import { Session as Inspector } from 'node:inspector/promises';
import { cwd } from 'node:process';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from '@nestjs/common';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { describe, expect, it } from '@jest/globals';
import { SessionGuard } from 'nest-sessions';
import { DemoController } from '../support/demo.controller.js';
import { TestApplication } from '../support/test-application.js';

/** A reader who follows a known token from the guard to its session opens no more files than these. */
const MAX_FILES = 20;

function contextWith(headers: Record<string, string>): ExecutionContext {
  const request = { method: 'GET', url: '/me', headers };
  const response = { getHeader: () => undefined, setHeader: () => {}, removeHeader: () => {}, end: () => {} };
  return new ExecutionContextHost([request, response], DemoController, DemoController.prototype.me);
}

/** Returns the files of the library of which a function runs during a call, from the root of the project. */
async function filesThatRun(call: () => unknown): Promise<string[]> {
  const inspector = new Inspector();
  inspector.connect();
  try {
    await inspector.post('Profiler.enable');
    await inspector.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
    await call();
    const { result } = await inspector.post('Profiler.takePreciseCoverage');
    const ran = result.filter(({ functions }) =>
      functions.some(
        ({ ranges: [range] }) => range !== undefined && range.count > 0 && range.startOffset > 0,
      ),
    );
    const paths = ran.map(({ url }) =>
      (url.startsWith('file:') ? fileURLToPath(url) : url).replace(`${cwd()}/`, ''),
    );
    return [...new Set(paths.filter((path) => path.startsWith('lib/')))].toSorted();
  } finally {
    inspector.disconnect();
  }
}

describe('the way of a guarded request with a known token', () => {
  it.each([
    ['header', (token: string) => ({ authorization: `Bearer ${token}` })],
    ['cookie', (token: string) => ({ cookie: `sAccessToken=${token}` })],
  ])(`by %s passes at most ${MAX_FILES} files`, async (_method, headersOf) => {
    await TestApplication.on('express').run(async ({ app, sessions }) => {
      const session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1' });
      const guard = app.get(SessionGuard);
      const activate = (): unknown => guard.canActivate(contextWith(headersOf(session.getAccessToken())));
      await activate();
      const files = await filesThatRun(() => {
        expect(activate()).toBe(true); // known, so there is no promise
      });
      expect(files).toContain('lib/session.guard.ts');
      expect(files).toContain('lib/tokens/verified-token-cache.ts');
      expect(files.length > MAX_FILES ? files : []).toEqual([]);
    });
  });
});
