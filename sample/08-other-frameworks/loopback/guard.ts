import type { Interceptor } from '@loopback/core';
import { RestBindings, type RequestContext } from '@loopback/rest';
import { sessionErrorResponse, type SessionClaimValidator, type SessionVerifier } from 'nest-sessions/verify';
import { sendResponse, toRequest } from '../node-http.js';

/** Responds to refusals as the browser client expects it: of the guard, and of a refresh that could not be forwarded. */
export const respondToRefusals: Interceptor = async (call, next) => {
  try {
    return await next();
  } catch (error) {
    const refusal = sessionErrorResponse(error);
    if (refusal === undefined) throw error;
    const { response } = await call.get<RequestContext>(RestBindings.Http.CONTEXT.key);
    await sendResponse(refusal, response);
    return response;
  }
};

/** Makes the interceptor of a guarded method, which binds `session` to the request's context. */
export function guardWith(sessions: SessionVerifier) {
  return (...claims: SessionClaimValidator[]): Interceptor =>
    async (call, next) => {
      const context = await call.get<RequestContext>(RestBindings.Http.CONTEXT.key);
      context.bind('session').to(await sessions.verify(toRequest(context.request), { claims }));
      return next();
    };
}
