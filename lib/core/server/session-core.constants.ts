/** @internal Injection token of the options as the application wrote them. */
export const SESSION_CORE_MODULE_OPTIONS = Symbol('nest-sessions:core-options');
/** @internal Injection token of the checked options. */
export const RESOLVED_CORE_OPTIONS = Symbol('nest-sessions:resolved-core-options');
/** @internal Injection token of the feed; it stands for undefined where none is served. */
export const SERVED_FEED = Symbol('nest-sessions:served-feed');
