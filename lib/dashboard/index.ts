export { SessionDashboardModule } from './session-dashboard.module.js';
export type { DashboardAuthorize, SessionDashboardOptions } from './dashboard-options.js';
