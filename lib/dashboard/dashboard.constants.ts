/** @internal Injection token of the options after they were checked. */
export const DASHBOARD_CONFIG = Symbol('nest-sessions:dashboard-config');
/** The header of each action. A page of another site can send it only after a preflight. */
export const ACTION_HEADER = 'nest-sessions-dashboard';
