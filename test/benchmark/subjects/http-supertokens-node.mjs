// As its documentation has it for Nest: `verifySession` of the adapter's framework behind a guard.
import { createParamDecorator } from '@nestjs/common';
import { serveApp } from './http-subject.mjs';
import { initSupertokens } from './verify-supertokens-node.mjs';

const SessionOfRequest = createParamDecorator((_, context) => context.switchToHttp().getRequest().session);

/** @param {import('./http-subject.mjs').HttpOptions} options */
export async function serve(options) {
  const { adapter } = options;
  initSupertokens(options.coreUrl, adapter, options.by);
  const { verifySession } = await import(`supertokens-node/recipe/session/framework/${adapter}/index.js`);
  const verify = verifySession();
  class SupertokensGuard {
    async canActivate(context) {
      const http = context.switchToHttp();
      if (adapter === 'fastify') {
        await verify(http.getRequest(), http.getResponse());
        return true;
      }
      let failure;
      await verify(http.getRequest(), http.getResponse(), (error) => (failure = error));
      if (failure !== undefined) throw failure;
      return true;
    }
  }
  return serveApp(options, {
    guard: SupertokensGuard,
    param: SessionOfRequest(),
    handler: (session) => ({ userId: session.getUserId() }),
  });
}
