import { MAX_COOKIE_OCTETS } from '../../http/cookies.js';
import { matchesCookiePath } from '../../http/set-cookie.js';
import { routeUrl, type Facts } from '../facts.js';
import { ok, combineFindings, warning, type Advice, type Finding, type FindingCode } from '../finding.js';
import { readTokens, sessionCookies, type SessionCookie } from '../session-tokens.js';
import { dropReasons, cookieSize, type DropReason } from '../browser-cookies.js';
import { browserSite, isLocal, isSameSite } from '../site.js';
import { quote } from '../printable.js';
import { sharedPublicSuffix } from './address.js';

const LARGE_COOKIE_OCTETS = 3500;

/** Checks that a browser keeps the session's cookies and sends them only where they are needed. */
export function checkCookies(facts: Facts): Finding[] {
  const responses = cookiesToCheck(facts);
  const cookies = responses.flat();
  if (cookies.length === 0) return [];
  return [
    checkDomain(cookies),
    checkPaths(cookies, facts),
    ...checkSameSite(cookies, facts),
    ...checkThirdParty(cookies, facts),
    ...checkSecure(cookies),
    checkHttpOnly(cookies),
    ...checkPartitioned(cookies),
    ...checkPrefixes(cookies),
    checkDuplicates(responses),
    ...checkSizes(cookies),
  ];
}

/** The cookies of each response, removals included; none when the sign-in used headers. */
function cookiesToCheck({ exchanges }: Facts): SessionCookie[][] {
  const { emptyRefresh, signIn, refresh, signOut } = exchanges;
  if (readTokens(signIn).transferMethod === 'header') return [];
  return [emptyRefresh, signIn, refresh, signOut].map((exchange) => sessionCookies(exchange));
}

function findDropped(cookies: readonly SessionCookie[], ...reasons: readonly DropReason[]): SessionCookie[] {
  return cookies.filter((cookie) => dropReasons(cookie, cookie.from).some((each) => reasons.includes(each)));
}

function checkDomain(cookies: readonly SessionCookie[]): Finding {
  const problems = [
    ...findDropped(cookies, 'foreign-domain').map(
      ({ name, domain, from }) =>
        `${name} has Domain ${quote(domain ?? '')}, which ${from.hostname} is not part of`,
    ),
    ...findDropped(cookies, 'public-suffix').map(
      ({ name, domain }) => `${name} has Domain ${quote(domain ?? '')}, a public suffix`,
    ),
  ];
  const shared = [...new Set(cookies.flatMap(({ domain }) => (domain === undefined ? [] : [domain])))];
  const good =
    shared.length === 0
      ? 'the cookies belong to the host of the API alone'
      : `the cookies are shared with every host below ${shared.map(quote).join(', ')}`;
  return combineFindings('cookie.domain', problems, good, {
    why: 'Browsers drop such a cookie silently: the sign-in seems to work, and the next request has no session.',
    fix: 'Leave cookieDomain out, or set it to the domain that website and API share, ".example.com" for example.',
  });
}

function checkPaths(cookies: readonly SessionCookie[], { api }: Facts): Finding {
  const refreshPath = new URL(routeUrl(api, 'refresh')).pathname;
  const problems = cookies.flatMap(({ kind, name, path, isRemoval }) => {
    const isOlder = isRemoval && cookies.some((other) => other.name === name && other.path !== path);
    if (isOlder) return [];
    if (kind === 'access') return path === '/' ? [] : [`${name} is sent below ${quote(path)} only`];
    if (!matchesCookiePath(path, refreshPath))
      return [`${name} is not sent to ${refreshPath}: its path is ${quote(path)}`];
    return path === refreshPath
      ? []
      : [`${name} is sent to more than ${refreshPath}: its path is ${quote(path)}`];
  });
  const isLost = cookies.some(
    ({ kind, path }) => kind === 'refresh' && !matchesCookiePath(path, refreshPath),
  );
  return combineFindings(
    'cookie.path',
    problems,
    `the refresh token goes to ${refreshPath} only`,
    {
      why: isLost
        ? 'The refresh token never arrives: users are signed out when their first access token expires.'
        : 'Where the access cookie is not sent there is no session; where the refresh cookie is, it can leak.',
      fix:
        'Set appInfo.apiBasePath (and apiGatewayPath for a prefix that a gateway strips) to the path that browsers use; ' +
        'leave accessTokenPath out.',
    },
    isLost ? 'error' : 'warning',
  );
}

function checkSameSite(cookies: readonly SessionCookie[], { api, website }: Facts): Finding[] {
  const withoutSecure = findDropped(cookies, 'none-without-secure');
  if (withoutSecure.length > 0) return [sameSiteWithoutSecure(withoutSecure)];
  const apiUrl = new URL(api.origin);
  const values = [...new Set(cookies.map(({ sameSite }) => sameSite ?? 'missing'))];
  if (isSameSite(apiUrl, website)) return [sameSiteWithinSite(values)];
  const isMixOfLocalNames = isLocal(apiUrl) && isLocal(website) && apiUrl.protocol === website.protocol;
  return isMixOfLocalNames ? [] : [sameSiteAcrossSites(values, apiUrl, website)]; // a mix is reported as such
}

function sameSiteWithoutSecure(cookies: readonly SessionCookie[]): Finding {
  const problems = cookies.map(({ name }) => `${name} is SameSite=None without Secure`);
  return combineFindings('cookie.same-site', problems, '', {
    why: 'Browsers drop such a cookie.',
    fix: 'Serve the API by https and set appInfo.apiDomain to its https:// origin.',
  });
}

function sameSiteWithinSite(values: readonly string[]): Finding {
  return combineFindings(
    'cookie.same-site',
    values.includes('none') ? ['the cookies are SameSite=None, though website and API are one site'] : [],
    `SameSite is ${values.join(', ')}, website and API are one site`,
    {
      why: 'Other websites can make a browser send them; only the anti-CSRF check stands in between.',
      fix: 'Leave cookieSameSite out, and set appInfo.websiteDomain to the website: lax is then chosen.',
    },
    'warning',
  );
}

function sameSiteAcrossSites(values: readonly string[], api: URL, website: URL): Finding {
  const where = `${browserSite(website)} and ${browserSite(api)} are two sites`;
  const kept = values.filter((value) => value !== 'none');
  return combineFindings(
    'cookie.same-site',
    kept.map((value) => `SameSite is ${value}, but ${where}`),
    `SameSite is none, as ${where}`,
    {
      why: 'The browser does not send these cookies on calls from the website: after the sign-in there is no session.',
      fix:
        'Set appInfo.websiteDomain to the website and leave cookieSameSite out, or better: put the API on a subdomain of ' +
        'the website. Schemes must be equal, too.',
    },
  );
}

function checkThirdParty(cookies: readonly SessionCookie[], { api, website }: Facts): Finding[] {
  const apiUrl = new URL(api.origin);
  if (isSameSite(apiUrl, website) || isLocal(apiUrl)) return [];
  const suffix = sharedPublicSuffix(apiUrl.hostname, website.hostname);
  const seen =
    suffix === undefined
      ? `${apiUrl.hostname} is a third party to pages of ${website.hostname}`
      : `${apiUrl.hostname} is a third party to pages of ${website.hostname}: ${suffix} is a public suffix, not a site`;
  const partitioned = cookies.every((cookie) => cookie.partitioned);
  const advice: Advice = {
    why: partitioned
      ? 'Partitioned cookies work in most browsers that block third parties, and on that website only.'
      : 'Safari, private windows and many settings block cookies of third parties: users cannot sign in there.',
    fix:
      'Put website and API below one registrable domain (example.com and api.example.com), or let the client ' +
      "use headers (tokenTransferMethod: 'header').",
  };
  return [warning('cookie.third-party', seen, advice)];
}

function checkSecure(cookies: readonly SessionCookie[]): Finding[] {
  const overHttps = cookies.filter(({ from }) => from.protocol === 'https:');
  const problems = [
    ...overHttps
      .filter(({ secure }) => !secure)
      .map(({ name }) => `${name} is not Secure, though the API is https`),
    ...findDropped(cookies, 'secure-over-http').map(
      ({ name }) => `${name} is Secure, though the API is http`,
    ),
  ];
  const local = cookies.filter(({ secure, from }) => secure && from.protocol === 'http:' && isLocal(from));
  if (problems.length === 0 && local.length > 0) {
    return [
      warning('cookie.secure', `${local[0]?.name} is Secure, and the API is http on this machine`, {
        why: 'Chrome and Firefox keep such a cookie for local addresses, Safari drops it.',
        fix: 'Set appInfo.apiDomain to the http:// address while developing, and leave cookieSecure out.',
      }),
    ];
  }
  return [
    combineFindings('cookie.secure', problems, 'Secure fits the scheme', {
      why: 'Without Secure a cookie also travels in clear; with it, browsers drop it from a response by http.',
      fix: 'Set appInfo.apiDomain to the origin as browsers see it, outside the proxy that ends TLS; leave cookieSecure out.',
    }),
  ];
}

function checkHttpOnly(cookies: readonly SessionCookie[]): Finding {
  const readable = cookies.filter(({ httpOnly }) => !httpOnly);
  return combineFindings(
    'cookie.http-only',
    readable.map(({ name }) => `${name} is not HttpOnly`),
    'scripts cannot read the cookies',
    {
      why: 'Script injected into a page can take the tokens away.',
      fix: 'The module always sets it: look for a proxy or middleware that rewrites Set-Cookie.',
    },
  );
}

function checkPartitioned(cookies: readonly SessionCookie[]): Finding[] {
  if (!cookies.some(({ partitioned }) => partitioned)) return [];
  return dropFinding(
    cookies,
    'cookie.partitioned',
    'partitioned-without-secure',
    'Partitioned without Secure',
    {
      why: 'Browsers drop such a cookie.',
      fix: 'Serve the API by https, or set cookiePartitioned to false.',
    },
  );
}

function checkPrefixes(cookies: readonly SessionCookie[]): Finding[] {
  if (!cookies.some(({ name }) => /^__(?:host|secure)-/i.test(name))) return [];
  return dropFinding(cookies, 'cookie.prefix', 'prefix', 'set against the rules of its prefix', {
    why: 'Browsers drop such a cookie: __Secure- needs Secure, __Host- also path / and no Domain.',
    fix: 'Use cookieNamePrefixes, which picks the prefix that the other options allow.',
  });
}

function dropFinding(
  cookies: readonly SessionCookie[],
  code: FindingCode,
  reason: DropReason,
  what: string,
  advice: Advice,
): Finding[] {
  const problems = findDropped(cookies, reason).map(({ name }) => `${name} is ${what}`);
  return [combineFindings(code, problems, `no cookie is ${what}`, advice)];
}

/**
 * Finds one name at several domains or paths, because a browser keeps these as separate cookies and sends both. A response
 * may also remove a cookie where an earlier configuration put it.
 */
function checkDuplicates(responses: readonly (readonly SessionCookie[])[]): Finding {
  const places = new Map<string, Set<string>>();
  const set = responses.flat().filter(({ isRemoval }) => !isRemoval);
  for (const response of responses) {
    const isSetHere = (name: string): boolean =>
      response.some(
        (each) => each.name === name && set.some((other) => cookiePlace(other) === cookiePlace(each)),
      );
    for (const cookie of response) {
      if (cookie.isRemoval && isSetHere(cookie.name)) continue; // in addition to the present place
      places.set(cookie.name, (places.get(cookie.name) ?? new Set()).add(cookiePlace(cookie)));
    }
  }
  const doubled = [...places].filter(([, seen]) => seen.size > 1);
  return combineFindings(
    'cookie.duplicate',
    doubled.map(([name, seen]) => `${name} is set and removed at several places: ${[...seen].join(', ')}`),
    'each cookie is set and removed at one domain and path',
    {
      why:
        'A browser then holds two cookies of one name and sends both. Refreshes fail or go round in circles, and a sign-out ' +
        'leaves one behind.',
      fix:
        'Run all instances and all applications on this host with the same cookieDomain and base path. After a change of ' +
        "cookieDomain set olderCookieDomain to the former value ('' if there was none).",
    },
  );
}

function cookiePlace({ domain, path }: SessionCookie): string {
  return `${domain === undefined ? 'this host' : quote(domain)} ${quote(path)}`;
}

function checkSizes(cookies: readonly SessionCookie[]): Finding[] {
  const kept = cookies.filter(({ isRemoval }) => !isRemoval);
  const [largest] = kept.toSorted((a, b) => cookieSize(b) - cookieSize(a));
  if (largest === undefined) return [];
  const octets = cookieSize(largest);
  const seen = `${largest.name} has ${octets} octets of name and value, browsers keep ${MAX_COOKIE_OCTETS}`;
  if (octets <= LARGE_COOKIE_OCTETS) return [ok('cookie.size', seen)];
  return [
    combineFindings(
      'cookie.size',
      [seen],
      '',
      {
        why: 'Browsers drop a larger cookie silently; payloads grow with claims, roles and names.',
        fix: 'Keep less in the access token payload: session data stays on the server and has no such limit.',
      },
      octets > MAX_COOKIE_OCTETS ? 'error' : 'warning',
    ),
  ];
}
