/** @internal Injection token of the options as the application wrote them. */
export const SESSION_MODULE_OPTIONS = Symbol('nest-sessions:options');
/** @internal Injection token of the options after they were checked and completed. */
export const RESOLVED_SESSION_OPTIONS = Symbol('nest-sessions:resolved-options');
/** @internal Injection token of the `SessionRuntime` of one module instance. */
export const SESSION_RUNTIME = Symbol('nest-sessions:runtime');
