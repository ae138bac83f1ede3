import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { RecipeDependencies, remoteCore, SessionModule, SessionService } from 'nest-sessions';

const appInfo = { appName: 'b', apiDomain: 'http://localhost:1', websiteDomain: 'http://localhost:1' };

/**
 * @param {import('./verify-subject.mjs').VerifySetting} setting
 * @param {{ at: 'verifier' | 'service', maxCachedTokens?: number }} options
 */
export async function open({ coreUrl }, { at, maxCachedTokens = 10_000 }) {
  class AppModule {}
  const core = remoteCore({ connectionURI: coreUrl });
  Module({ imports: [SessionModule.forRoot({ appInfo, core, maxCachedTokens })] })(AppModule);
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  const { verifier } = app.get(RecipeDependencies, { strict: false });
  const sessions = app.get(SessionService);
  const verify = {
    // As the recipe does it.
    verifier: (token) => verifier.verify(verifier.read(token)),
    service: (accessToken) =>
      sessions.getSessionWithoutRequestResponse({ accessToken, antiCsrfCheck: false }),
  };
  return { verify: verify[at], verifier, close: () => app.close() };
}
