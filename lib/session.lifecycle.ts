import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { CoreClient } from './core/core-client.js';
import { startCore } from './core/core-provider.js';
import { SessionEvents } from './events/session-events.js';
import { Telemetry } from './events/telemetry.js';
import { RecipeDependencies } from './sessions/recipe-dependencies.js';

/** Opens the core before the first request, and closes what it opened when the application shuts down. */
@Injectable()
export class SessionLifecycle implements OnModuleInit, OnApplicationShutdown {
  constructor(
    private readonly core: CoreClient,
    private readonly events: SessionEvents,
    private readonly telemetry: Telemetry,
    private readonly dependencies: RecipeDependencies,
  ) {}

  async onModuleInit(): Promise<void> {
    this.telemetry.observeSessions(this.dependencies.verifier);
    this.telemetry.observeCoreCalls();
    await startCore(this.core, this.telemetry);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.core.close();
    this.events.complete();
  }
}
