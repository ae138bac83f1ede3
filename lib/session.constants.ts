/** @internal Injection token of the options as the application wrote them. */
export const SESSION_MODULE_OPTIONS = Symbol('nest-sessions:options');
/** @internal Injection token of the options after they were checked and completed. */
export const RESOLVED_SESSION_OPTIONS = Symbol('nest-sessions:resolved-options');
/** Nest prints the token that it cannot resolve, so the tokens of the guard and the filter say what is missing then. */
const REMEDY =
  'SessionModule.forRoot() is missing in the imports of the root module, or of this one with isGlobal: false';
/** @internal Injection token of the `SessionRuntime` of one module instance. */
export const SESSION_RUNTIME = Symbol.for(`nest-sessions runtime: ${REMEDY}`);
/** @internal Injection token of `SharedSessions`; as that of the runtime, it is the same in each copy of the package. */
export const SHARED_SESSIONS = Symbol.for(`nest-sessions shared sessions: ${REMEDY}`);
