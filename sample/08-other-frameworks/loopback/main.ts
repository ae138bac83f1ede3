import { env } from 'node:process';
import { inject, intercept, type Getter } from '@loopback/core';
import { get, post, RestApplication, RestBindings, type RequestContext } from '@loopback/rest';
import {
  createSessionVerifier,
  forwardRefresh,
  PrimitiveClaim,
  type VerifiedSession,
} from 'nest-sessions/verify';
import { sendResponse, toRequest } from '../node-http.js';
import { respondToRefusals, guardWith } from './guard.js';

const apiDomain = env['API_DOMAIN'] ?? 'http://127.0.0.1:3000';
const guard = guardWith(createSessionVerifier({ apiDomain }));
const plan = new PrimitiveClaim<string>({ key: 'plan', fetchValue: () => undefined });

@intercept(respondToRefusals)
class OrdersController {
  constructor(
    // A getter, because the controller is made before the guard runs.
    @inject.getter('session') private readonly session: Getter<VerifiedSession>,
    @inject(RestBindings.Http.CONTEXT) private readonly context: RequestContext,
  ) {}

  @get('/me')
  @intercept(guard())
  async me(): Promise<object> {
    return { userId: (await this.session()).userId };
  }

  @post('/orders')
  @intercept(guard())
  async order(): Promise<object> {
    return { userId: (await this.session()).userId };
  }

  @get('/reports')
  @intercept(guard(plan.validators.hasValue('pro')))
  async reports(): Promise<object> {
    return { reports: [] };
  }

  /** For browsers that know only this origin. */
  @post('/auth/session/refresh')
  async refresh(): Promise<object> {
    const { request, response } = this.context;
    await sendResponse(await forwardRefresh(toRequest(request), { apiDomain }), response);
    return response;
  }
}

const app = new RestApplication({ rest: { port: Number(env['PORT'] ?? 3001), host: '127.0.0.1' } });
app.controller(OrdersController);
await app.start();
console.log(`LoopBack 4: ${app.restServer.url}`);
