import { Inject, Injectable, type ExecutionContext } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import type { RouteRules } from '../rules/route-rules.js';
import { rememberCall } from '../rules/guarded-calls.js';
import { UnauthorisedError } from '../errors.js';
import {
  assertOwnRequest,
  findGraphqlContext,
  hasFiltersOnNestedFields,
  isNestedField,
} from './graphql-context.js';
import { toGraphqlError } from './graphql-session.error.js';
import type { VerifySessionOptions } from '../sessions/recipe.interface.js';
import type { SessionContainer } from '../sessions/session-container.js';
import { ensureRequestState, getExchange } from '../sessions/request-state.js';
import { SharedVerifications } from './shared-verifications.js';
import { isHandledError } from '../sessions/error-rules.js';
import { SessionSockets } from '../websocket/session-sockets.js';
import type { SessionRuntime } from '../sessions/session-runtime.js';
import { SESSION_RUNTIME } from '../session.constants.js';
import { findGatewayClient, findGraphqlClient, type SocketClient } from '../websocket/socket-client.js';
import type { RequestAndResponse } from '../http/exchanges.js';

/**
 * Finds the session for `SessionGuard` where several handlers share it: the fields of a GraphQL operation share one
 * request, the messages of a WebSocket one connection.
 */
@Injectable()
export class SharedSessions {
  private readonly verifications: SharedVerifications;

  constructor(
    @Inject(SESSION_RUNTIME) private readonly runtime: SessionRuntime,
    private readonly sockets: SessionSockets,
    private readonly modules: ModuleRef,
  ) {
    this.verifications = new SharedVerifications(runtime);
  }

  /**
   * Lets a call through or rejects.
   *
   * @param find finds the request and the response where there is no lasting connection
   */
  async canActivate(
    context: ExecutionContext,
    rules: RouteRules,
    find: () => RequestAndResponse,
  ): Promise<boolean> {
    try {
      const session = await this.resolveSession(context, rules, find);
      this.remember(context, session, find);
      return true;
    } catch (error) {
      if (!isHandledError(error) || !isNestedField(context)) throw error;
      // Filters, the application's included, must see the error itself; without filters it must be ready for the response.
      if (hasFiltersOnNestedFields(this.modules)) throw error;
      throw await toGraphqlError(error, context, find, this.runtime.errorResponder);
    }
  }

  /** Keeps for `@Session()` that the guard ran for this handler, and the session that it found. */
  remember(
    context: ExecutionContext,
    session: SessionContainer | undefined,
    find: () => RequestAndResponse,
  ): void {
    const hasNoRequest = session === undefined || context.getType<string>() === 'rpc';
    const carrier = findCarrier(context) ?? (hasNoRequest ? findArgument(context) : find().req);
    if (carrier !== undefined) rememberCall(carrier, context, { session });
  }

  private async resolveSession(
    context: ExecutionContext,
    rules: RouteRules,
    find: () => RequestAndResponse,
  ): Promise<SessionContainer | undefined> {
    if (rules.isPublic) return undefined;
    const client = findSocketClient(context);
    if (client !== undefined && this.sockets.isKnown(client)) {
      return this.sockets.sessionForMessage(client, rules.options);
    }
    const { req, res } = find();
    assertOwnRequest({ req, res });
    return this.sessionOfRequest(req, res, rules.options);
  }

  private async sessionOfRequest(
    req: unknown,
    res: unknown,
    options: VerifySessionOptions,
  ): Promise<SessionContainer | undefined> {
    const exchange = getExchange(req, res);
    // The filter reads here which module an error belongs to; what the guard decided is kept for each handler.
    ensureRequestState(req).errorResponder = this.runtime.errorResponder;
    const session = await this.verifications.verifyShared(exchange, options);
    if (session === undefined && options.sessionRequired !== false) {
      throw new UnauthorisedError('The handler requires a session', { clearTokens: false });
    }
    return session;
  }
}

function findSocketClient(context: ExecutionContext): SocketClient | undefined {
  const type: string = context.getType();
  if (type === 'ws') return findGatewayClient(findClient(context));
  return type === 'graphql' ? findGraphqlClient(findGraphqlContext(context)) : undefined;
}

/** Returns the object that the guard and `@Session()` both see: the socket, the context value of a GraphQL operation. */
function findCarrier(context: ExecutionContext): object | undefined {
  const type: string = context.getType();
  const carrier =
    type === 'graphql' ? findGraphqlContext(context) : type === 'ws' ? findClient(context) : undefined;
  return typeof carrier === 'object' && carrier !== null && Object.isExtensible(carrier)
    ? carrier
    : undefined;
}

/** Returns an argument to keep a decision on that needs no request: messages of queues and webhooks have none. */
function findArgument(context: ExecutionContext): unknown {
  return context
    .getArgs<unknown[]>()
    .find((each) => typeof each === 'object' && each !== null && Object.isExtensible(each));
}

function findClient(context: ExecutionContext): unknown {
  return context.switchToWs().getClient<unknown>();
}
