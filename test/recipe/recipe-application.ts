import type { DynamicModule, Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  Clock,
  SessionError,
  SessionEvents,
  SessionService,
  type AnySessionError,
  type EmbeddedCoreOptions,
  type SessionEvent,
  type SessionModuleOptions,
} from 'nest-sessions';
import type { SessionStore } from 'nest-sessions/core';
import { TestClock } from 'nest-sessions/testing';
import { TEST_START_MS } from '../support/embedded.js';
import { sessionModule } from '../support/test-application.js';

export interface RecipeInput {
  /** Options of the module; `appInfo` and `core` have defaults. */
  readonly options?: Partial<SessionModuleOptions>;
  readonly coreOptions?: Omit<EmbeddedCoreOptions, 'store'>;
  readonly store?: SessionStore;
  readonly clock?: TestClock;
  /** Instead of one `SessionModule` with the options. */
  readonly imports?: (Type | DynamicModule)[];
}

/** A Nest application that serves nothing: what is left is the recipe. */
export interface RecipeApplication {
  readonly sessions: SessionService;
  readonly clock: TestClock;
  /** What happened so far. */
  readonly events: readonly SessionEvent[];
  get<T>(token: Type<T>): T;
  close(): Promise<void>;
}

export async function startRecipe(input: RecipeInput = {}): Promise<RecipeApplication> {
  const clock = input.clock ?? new TestClock(TEST_START_MS);
  const module = await Test.createTestingModule({ imports: input.imports ?? [await sessionModule(input)] })
    .setLogger(false as never)
    .overrideProvider(Clock)
    .useValue(clock)
    .compile();
  await module.init();
  const events: SessionEvent[] = [];
  module.get(SessionEvents, { strict: false }).stream.subscribe((event) => events.push(event));
  return {
    sessions: module.get(SessionService, { strict: false }),
    clock,
    events,
    get: (token) => module.get(token, { strict: false }),
    close: () => module.close(),
  };
}

/** Starts an application for one test and closes it whatever happens. */
export async function withRecipe(
  input: RecipeInput,
  test: (application: RecipeApplication) => Promise<void>,
): Promise<void> {
  const application = await startRecipe(input);
  try {
    await test(application);
  } finally {
    await application.close();
  }
}

/** The session error with which something must fail. */
export async function sessionErrorOf(work: Promise<unknown>): Promise<AnySessionError> {
  const error = await work.then(
    () => new Error('It did not fail'),
    (failure: unknown) => failure,
  );
  if (!SessionError.isSessionError(error)) throw error;
  return error;
}
