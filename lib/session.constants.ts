/** @internal Injection token of the options as the application wrote them. */
export const SESSION_MODULE_OPTIONS = Symbol('nest-sessions:options');
/** @internal Injection token of the options after they were checked and completed. */
export const RESOLVED_SESSION_OPTIONS = Symbol('nest-sessions:resolved-options');
/** @internal Injection token of the `SessionRuntime` of one module instance. */
export const SESSION_RUNTIME = Symbol.for('nest-sessions:runtime');
/** @internal Injection token of `SharedSessions`; as that of the runtime, it is the same in each copy of the package. */
export const SHARED_SESSIONS = Symbol.for('nest-sessions:shared-sessions');
