import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { CoreClient } from '../core/core-client.js';
import { arrivingBasePath } from '../http/request-path.js';
import { WIRE_OPTIONS } from '../options/wire-options.js';
import { SESSION_ROUTES } from '../options/session-routes.js';
import { RESOLVED_SESSION_OPTIONS, SESSION_RUNTIME } from '../session.constants.js';
import type { ResolvedSessionOptions } from '../session.options.js';
import type { SessionRuntime } from '../sessions/session-runtime.js';
import { missingCoreWarning, startupWarnings } from '../sessions/startup-warnings.js';

/** Logs, once the application has started, what the module will do, and warns of what was probably not meant. */
@Injectable()
export class StartupReport implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('SessionModule');
  private isOver = false;

  constructor(
    @Inject(RESOLVED_SESSION_OPTIONS) private readonly options: ResolvedSessionOptions,
    @Inject(SESSION_RUNTIME) private readonly runtime: SessionRuntime,
    private readonly core: CoreClient,
    private readonly adapterHost: HttpAdapterHost,
    private readonly modules: ModulesContainer,
  ) {}

  /** Waits for no core: its line comes when it has responded. */
  onApplicationBootstrap(): void {
    const { logStartup, config } = this.options;
    if (logStartup === false) return;
    const hasServer = (this.adapterHost.httpAdapter as unknown) != null;
    for (const warning of startupWarnings(this.options, this.core)) this.logger.warn(warning);
    if (hasServer) this.warnOfSharedPath();
    if (logStartup === true) {
      if (hasServer) this.logger.log(`Routes: ${this.routes().join(', ')}`);
      this.logger.log(describeTokens(config));
      this.describeBinding();
    }
    void this.reportCore();
  }

  /** An application that shuts down logs nothing more about its start. */
  onModuleDestroy(): void {
    this.isOver = true;
  }

  private async reportCore(): Promise<void> {
    const warning = await missingCoreWarning(this.core);
    if (this.isOver) return;
    if (warning !== undefined) this.logger.warn(warning);
    else if (this.options.logStartup === true) this.logger.log(`Core: ${this.core.description}; it responds`);
  }

  private routes(): string[] {
    const basePath = arrivingBasePath(this.options.config.appInfo);
    return this.runtime
      .routeNames()
      .map((name) => `${SESSION_ROUTES[name].method.toUpperCase()} ${basePath}${SESSION_ROUTES[name].path}`);
  }

  private describeBinding(): void {
    const { dbsc, dpop } = this.options.features.deviceBound ?? {};
    const ways = [
      ...(dbsc === undefined ? [] : [`by browsers (DBSC), whose cookie lives ${dbsc.cookieLifeSec} s`]),
      ...(dpop === undefined ? [] : [`by clients that sign in with a DPoP proof, nonce ${dpop.nonce}`]),
    ];
    if (ways.length > 0) this.logger.log(`Device-bound sessions: ${ways.join('; ')}`);
  }

  /** The first of several modules warns: the routes of the others are never reached. */
  private warnOfSharedPath(): void {
    const { apiBasePath } = this.options.config.appInfo;
    const runtimes = [...this.modules.values()]
      .map((module) => module.providers.get(SESSION_RUNTIME)?.instance as SessionRuntime | undefined)
      .filter((runtime) => runtime?.config.appInfo.apiBasePath === apiBasePath);
    if (runtimes.length < 2 || runtimes[0] !== this.runtime) return;
    this.logger.warn(
      `${runtimes.length} session modules have the base path ${apiBasePath || '/'}: only the routes of one are reached, and sessions ` +
        'of the others cannot be refreshed. Import SessionModule.forRoot once, or give each module an apiBasePath of its own',
    );
  }
}

function describeTokens(config: ResolvedSessionOptions['config']): string {
  const isDefault = config.getTokenTransferMethod === WIRE_OPTIONS.getTokenTransferMethod.fallback;
  const method = isDefault
    ? 'cookies or headers, as the client asks (st-auth-mode)'
    : 'as getTokenTransferMethod decides';
  const sameSite = config.constantSameSite ?? 'decided per request';
  const antiCsrf = config.antiCsrf === 'default' ? 'by SameSite' : config.antiCsrf;
  return `Tokens: ${method}; cookies with SameSite ${sameSite}, ${config.cookieSecure ? 'Secure' : 'not Secure'}; anti-CSRF ${antiCsrf}`;
}
