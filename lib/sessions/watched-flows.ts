import type { SessionRequest } from '../http/session-request.js';
import type { UserContext } from '../util/user-context.js';
import type { ClaimChecks } from './claim-checks.js';
import type { FlowDependencies } from './flow-dependencies.js';
import { GetSessionFlow } from './get-session-flow.js';
import type { VerifySessionOptions } from './recipe.interface.js';
import { RefreshSessionFlow } from './refresh-session-flow.js';
import type { SessionContainer } from './session-container.js';

type MaybePromise<T> = Promise<T> | T;

/** A verification that did not let its caller through. */
export interface Refusal {
  readonly error: unknown;
  /** Whether there was an access token of ours at all. */
  readonly hasToken: boolean;
  readonly userContext: UserContext;
}

/** What watches the flows; what it throws takes the place of what it hears of. */
export interface FlowWatcher {
  beforeRefresh?(refreshToken: string, userContext: UserContext): Promise<void>;
  afterRefusal?(refusal: Refusal): Promise<void>;
}

/** Verifying with somebody who hears of refusals; what succeeds costs nothing more. */
export class WatchedGetSessionFlow extends GetSessionFlow {
  constructor(
    private readonly parts: FlowDependencies,
    claimChecks: ClaimChecks,
    private readonly watchers: readonly FlowWatcher[],
  ) {
    super(parts, claimChecks);
  }

  override fromRequest(
    request: SessionRequest,
    options: VerifySessionOptions,
  ): MaybePromise<SessionContainer | undefined> {
    const outcome = super.fromRequest(request, options);
    if (!(outcome instanceof Promise)) return outcome;
    return outcome.catch((error: unknown) =>
      this.tell({ error, hasToken: this.hasToken(request), userContext: request.userContext }),
    );
  }

  override fromToken(
    input: Parameters<GetSessionFlow['fromToken']>[0],
    userContext: UserContext,
  ): MaybePromise<SessionContainer | undefined> {
    const outcome = super.fromToken(input, userContext);
    if (!(outcome instanceof Promise)) return outcome;
    const hasToken = input.accessToken !== undefined && this.parts.verifier.isOurs(input.accessToken);
    return outcome.catch((error: unknown) => this.tell({ error, hasToken, userContext }));
  }

  private async tell(refusal: Refusal): Promise<never> {
    for (const watcher of this.watchers) await watcher.afterRefusal?.(refusal);
    throw refusal.error;
  }

  private hasToken(request: SessionRequest): boolean {
    const { transport, verifier } = this.parts;
    return (['header', 'cookie'] as const).some((method) => {
      const token = transport.readToken(request, 'access', method);
      return token !== undefined && verifier.isOurs(token);
    });
  }
}

/** Refreshing with somebody who is asked before. */
export class WatchedRefreshSessionFlow extends RefreshSessionFlow {
  constructor(
    parts: FlowDependencies,
    private readonly watchers: readonly FlowWatcher[],
  ) {
    super(parts);
  }

  protected override async refresh(
    input: Parameters<RefreshSessionFlow['refresh']>[0],
  ): Promise<SessionContainer> {
    for (const watcher of this.watchers) await watcher.beforeRefresh?.(input.refreshToken, input.userContext);
    return super.refresh(input);
  }
}
