import { Module, type DynamicModule } from '@nestjs/common';
import { DASHBOARD_CONFIG } from './dashboard.constants.js';
import { dashboardControllers } from './dashboard.controller.js';
import { DashboardGuard } from './dashboard.guard.js';
import { readDashboardOptions, type SessionDashboardOptions } from './dashboard-options.js';
import { DashboardResponse } from './dashboard-response.js';
import { DashboardState } from './dashboard-state.js';
import { PageFiles } from './page-files.js';
import { RefusedPageFilter } from './refused-page.filter.js';

/**
 * A page for those who run the application: who is signed in, what happens, one session's life, and calls that end sessions with a reason.
 * The application serves it itself; it needs a `SessionModule` that is global, and sessions by cookie for those who use it.
 *
 * @example
 * SessionDashboardModule.forRoot({ path: 'admin/sessions', authorize: [UserRoleClaim.validators.includes('admin')] })
 * @publicApi
 */
@Module({})
export class SessionDashboardModule {
  /** @throws {SessionConfigError} an option is missing or wrong: without `authorize` there is no dashboard */
  static forRoot(options: SessionDashboardOptions): DynamicModule {
    const config = readDashboardOptions(options);
    return {
      module: this,
      controllers: dashboardControllers(config.path),
      providers: [
        { provide: DASHBOARD_CONFIG, useValue: config },
        PageFiles,
        DashboardResponse,
        DashboardState,
        DashboardGuard,
        RefusedPageFilter,
      ],
    };
  }
}
