import {
  ConfigurableModuleBuilder,
  type ConfigurableModuleAsyncOptions,
  type ConfigurableModuleCls,
} from '@nestjs/common';
import type { SessionModuleOptions } from './session.options.js';
import { globalGuardProviders } from './rules/global-guard.js';
import { SESSION_MODULE_OPTIONS } from './session.constants.js';

/**
 * What is said about the module itself rather than about sessions.
 *
 * @publicApi
 */
export interface SessionModuleExtras {
  /**
   * Whether every module of the application can inject `SessionService` and use `SessionGuard` without importing
   * `SessionModule`. Default true; set it to false where one application has several session modules.
   */
  isGlobal?: boolean;
  /**
   * `'global'` closes every route of the application: `SessionGuard` stands in front of all of them, and `@PublicAccess()` and
   * `@OptionalSession()` open routes one by one. The module's own routes stay as they are. By default the guard runs where
   * the application binds it.
   */
  guard?: 'global' | undefined;
}

const definition = new ConfigurableModuleBuilder<SessionModuleOptions>({
  moduleName: 'Session',
  optionsInjectionToken: SESSION_MODULE_OPTIONS,
})
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createSessionOptions')
  .setExtras<SessionModuleExtras>({ isGlobal: true, guard: undefined }, (module, { isGlobal, guard }) => ({
    ...module,
    global: isGlobal ?? true,
    providers: [...(module.providers ?? []), ...globalGuardProviders(guard)],
  }))
  .build();

export const SessionConfigurableModule: ConfigurableModuleCls<
  SessionModuleOptions,
  'forRoot',
  'createSessionOptions',
  SessionModuleExtras
> = definition.ConfigurableModuleClass;

/**
 * Options of `SessionModule.forRootAsync`: `useFactory` with `inject`, `useClass` or `useExisting`.
 *
 * @publicApi
 */
export type SessionModuleAsyncOptions = ConfigurableModuleAsyncOptions<
  SessionModuleOptions,
  'createSessionOptions'
> &
  SessionModuleExtras;

/**
 * What a class given to `useClass` or `useExisting` implements.
 *
 * @publicApi
 */
export interface SessionOptionsFactory {
  createSessionOptions(): Promise<SessionModuleOptions> | SessionModuleOptions;
}
