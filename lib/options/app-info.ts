import type { ConfigProblem } from '../errors.js';
import type { RequestScope } from '../util/user-context.js';
import { normaliseDomain, normalisePath, registrableSite } from './domains.js';
import { isOptionsObject, OptionReader, show, textOption } from './option-reader.js';
import type { AppInfo } from './session-config.js';
import type { AppInfoOptions } from './wire-options.js';

const KNOWN_NAMES: Record<keyof AppInfoOptions, true> = {
  appName: true,
  apiDomain: true,
  websiteDomain: true,
  origin: true,
  apiBasePath: true,
  websiteBasePath: true,
  apiGatewayPath: true,
};

/** `appInfo` as read, and the website's origin where it is the same for every request. */
export interface ResolvedAppInfo {
  readonly appInfo: AppInfo;
  /** `undefined`: `origin` is a function. */
  readonly constantOrigin: string | undefined;
}

type OriginOf = (scope: RequestScope) => string;

/**
 * Reads `appInfo`.
 *
 * @param problems receives what is wrong
 * @returns undefined when something is wrong that the rest cannot do without
 */
export function resolveAppInfo(value: unknown, problems: ConfigProblem[]): ResolvedAppInfo | undefined {
  if (!isOptionsObject(value)) {
    const seen = value === undefined ? 'is missing' : `${show(value)} does not work`;
    problems.push({ path: 'appInfo', message: `${seen}: give { appName, apiDomain, websiteDomain }` });
    return undefined;
  }
  const reader = new OptionReader(value, problems, 'appInfo.');
  reader.rejectUnknown(Object.keys(KNOWN_NAMES));
  const appName = reader.required('appName', textOption(nonEmpty), 'give the name of the application');
  const api = reader.required(
    'apiDomain',
    textOption(readDomain),
    'give the origin of this API, https://api.example.com for example',
  );
  const website = readWebsite(reader, value);
  const basePath = reader.optional('apiBasePath', textOption(normalisePath)) ?? '/auth';
  const gatewayPath = reader.optional('apiGatewayPath', textOption(normalisePath)) ?? '';
  const websiteBasePath = reader.optional('websiteBasePath', textOption(normalisePath)) ?? '/auth';
  if (appName === undefined || api === undefined || website === undefined) return undefined;

  const isConstant = typeof website !== 'function';
  const websiteOrigin = isConstant ? () => website.origin : website;
  const websiteSite = isConstant
    ? () => website.site
    : (scope: RequestScope) => registrableSite(website(scope));
  const appInfo: AppInfo = {
    appName,
    apiDomain: api.origin,
    apiBasePath: gatewayPath + basePath,
    apiGatewayPath: gatewayPath,
    websiteBasePath,
    apiSite: api.site,
    websiteOrigin,
    websiteSite,
  };
  return { appInfo: Object.freeze(appInfo), constantOrigin: isConstant ? website.origin : undefined };
}

interface Domain {
  readonly origin: string;
  readonly site: string;
}

/** `origin` wins over `websiteDomain`; both are checked. */
function readWebsite(
  reader: OptionReader,
  source: Readonly<Record<string, unknown>>,
): Domain | OriginOf | undefined {
  const hasOrigin = source['origin'] !== undefined;
  const origin =
    typeof source['origin'] === 'function'
      ? readOriginFunction(reader)
      : reader.optional('origin', textOption(readDomain));
  const websiteDomain = reader.optional('websiteDomain', textOption(readDomain));
  if (!hasOrigin && source['websiteDomain'] === undefined) {
    reader.report(
      'websiteDomain',
      'is missing: give websiteDomain or origin, https://example.com for example',
    );
  }
  return hasOrigin ? origin : websiteDomain;
}

function readOriginFunction(reader: OptionReader): OriginOf | undefined {
  const configured = reader.function<(scope: RequestScope) => unknown>('origin');
  return (
    configured &&
    ((scope) => {
      const origin = configured({ request: scope.request, userContext: scope.userContext });
      if (typeof origin !== 'string')
        throw new Error(`appInfo.origin gave ${show(origin)}; text is expected`);
      return normaliseDomain(origin);
    })
  );
}

function readDomain(text: string): Domain {
  const origin = normaliseDomain(text);
  return { origin, site: registrableSite(origin) };
}

function nonEmpty(text: string): string {
  if (text.trim() === '') throw new Error('it must not be empty');
  return text;
}
