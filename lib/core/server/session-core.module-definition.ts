import {
  ConfigurableModuleBuilder,
  type ConfigurableModuleAsyncOptions,
  type ConfigurableModuleCls,
} from '@nestjs/common';
import type { SessionCoreModuleOptions } from './session-core-options.js';

/** @internal Injection token of the options as the application wrote them. */
export const SESSION_CORE_MODULE_OPTIONS = Symbol('nest-sessions:core-options');

const definition = new ConfigurableModuleBuilder<SessionCoreModuleOptions>({
  moduleName: 'SessionCore',
  optionsInjectionToken: SESSION_CORE_MODULE_OPTIONS,
})
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createSessionCoreOptions')
  .build();

export const SessionCoreConfigurableModule: ConfigurableModuleCls<
  SessionCoreModuleOptions,
  'forRoot',
  'createSessionCoreOptions'
> = definition.ConfigurableModuleClass;

/**
 * Options of `SessionCoreModule.forRootAsync`: `useFactory` with `inject`, `useClass` or `useExisting`.
 *
 * @publicApi
 */
export type SessionCoreModuleAsyncOptions = ConfigurableModuleAsyncOptions<
  SessionCoreModuleOptions,
  'createSessionCoreOptions'
>;

/**
 * What a class given to `useClass` or `useExisting` implements.
 *
 * @publicApi
 */
export interface SessionCoreOptionsFactory {
  createSessionCoreOptions(): Promise<SessionCoreModuleOptions> | SessionCoreModuleOptions;
}
