import type { SessionClaimValidator } from '../claims/claim-validator.js';
import type { SessionClaim } from '../claims/session-claim.js';
import type { SessionConfig } from '../options/session-config.js';
import type { AccessTokenVerifier } from '../tokens/access-token-verifier.js';
import type { TokenTransferMethod } from '../options/wire-options.js';
import type { CoreClient } from '../core/core-client.js';
import { UnauthorisedError } from '../errors.js';
import type { SessionEvents } from '../events/session-events.js';
import type { Clock } from '../util/clock.js';
import type { HttpRequest } from '../util/http-exchange.js';
import { isAllowedOrigin } from '../http/csrf.js';
import type { TokenTransport } from '../http/token-transport.js';
import type { RateLimits } from './rate-limits.js';
import type { SessionRecipe } from './recipe-implementation.js';
import type { RecipeInterface } from './recipe.interface.js';
import type { SessionLifetimes } from './session-lifetimes.js';

/** What the flows between a request and the recipe work with. */
export interface FlowDependencies {
  readonly config: SessionConfig;
  readonly core: CoreClient;
  readonly transport: TokenTransport;
  readonly recipe: RecipeInterface;
  /** What answers where nothing of it is replaced. */
  readonly ownRecipe: SessionRecipe;
  readonly verifier: AccessTokenVerifier;
  readonly claims: readonly SessionClaim<unknown>[];
  readonly globalClaimValidators: readonly SessionClaimValidator[];
  /** False where the application's own `onTokenTheftDetected` decides. */
  readonly revokesStolenSessions: boolean;
  readonly lifetimes: SessionLifetimes;
  /** The source of what the flows publish on the channels. */
  readonly events: SessionEvents;
  /** Undefined where the application has no limiter. */
  readonly rateLimits: RateLimits | undefined;
  readonly clock: Clock;
}

/** A token that counts, and how it came. */
export interface PresentedToken {
  readonly token: string;
  readonly transferMethod: TokenTransferMethod;
}

export function otherMethod(method: TokenTransferMethod): TokenTransferMethod {
  return method === 'cookie' ? 'header' : 'cookie';
}

/** S070. The tokens stay: a stranger's page must not be able to sign anybody out. */
export function assertAllowedOrigin(request: HttpRequest, { allowedOrigins }: SessionConfig): void {
  const isAllowed = isAllowedOrigin(allowedOrigins, {
    method: request.getMethod(),
    origin: request.getHeaderValue('origin'),
    secFetchSite: request.getHeaderValue('sec-fetch-site'),
  });
  if (isAllowed) return;
  throw new UnauthorisedError('The origin of the request is not among allowedOrigins', {
    clearTokens: false,
  });
}
