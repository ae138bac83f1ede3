import type { SessionClaimValidator } from '../claims/claim-validator.js';
import { SessionConfigError, type ConfigProblem } from '../options/config-error.js';
import {
  isComplete,
  isOptionsObject,
  option,
  readOptions,
  required,
  type Check,
  type OptionsOf,
  type Resolved,
} from '../options/option-table.js';
import { text } from '../options/option-checks.js';
import type { SessionContainer } from '../sessions/session-container.js';

/**
 * Decides who may use the dashboard: claim validators that all have to pass, or a function. It returns true for those who may; any other
 * result, an error included, keeps the page closed.
 *
 * @publicApi
 */
export type DashboardAuthorize =
  | readonly SessionClaimValidator[]
  | ((session: SessionContainer, request: unknown) => boolean | Promise<boolean>);

const PATH = /^\/?[\w-]+(?:\/[\w-]+)*\/?$/;

const path = text((given) => {
  if (!PATH.test(given)) throw new Error('names between slashes are expected, of letters, digits, - and _');
  return given.replaceAll(/^\/|\/$/g, '');
});

const authorize: Check<DashboardAuthorize> = (value) => {
  const isList =
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((each: unknown) => isOptionsObject(each) && typeof each['validate'] === 'function');
  if (isList || typeof value === 'function') return value as DashboardAuthorize;
  throw new Error('an array of claim validators is expected, at least one, or a function');
};

const DASHBOARD_OPTIONS = {
  /**
   * The address of the page: names between slashes, `admin/sessions` for example, below a global prefix of the application.
   * @defaultValue `session-dashboard`
   */
  path: option(path, 'session-dashboard'),
  /**
   * Decides who may see the sessions of everybody and end them: claim validators, `[UserRoleClaim.validators.includes('admin')]`, or a
   * function that takes the session and the request of the framework and returns true for those who may.
   */
  authorize: required(
    authorize,
    "say who may see the sessions of everybody: [UserRoleClaim.validators.includes('admin')], or a function that takes the session and returns true",
  ),
};

/**
 * Options of `SessionDashboardModule.forRoot`.
 *
 * @publicApi
 */
export interface SessionDashboardOptions extends OptionsOf<typeof DASHBOARD_OPTIONS> {}

/** The options after they were checked. */
export type DashboardConfig = Resolved<typeof DASHBOARD_OPTIONS>;

/** @throws {SessionConfigError} one sentence for each option that is missing or wrong */
export function readDashboardOptions(given: unknown): DashboardConfig {
  const problems: ConfigProblem[] = [];
  const read = readOptions(DASHBOARD_OPTIONS, isOptionsObject(given) ? given : {}, problems);
  if (problems.length > 0 || !isComplete(DASHBOARD_OPTIONS, read))
    throw new SessionConfigError(problems, 'SessionDashboardModule');
  return read;
}
