import { parseSetCookie, type ReceivedCookie } from '../../http/set-cookie.js';
import { dropReasons } from '../browser-cookies.js';
import {
  exchangeName,
  headerLines,
  isSuccess,
  jsonBody,
  presentExchanges,
  readHeader,
  type RecordedExchange,
} from '../exchange.js';
import type { Facts } from '../facts.js';
import { combineFindings, type Finding } from '../finding.js';
import { quote } from '../printable.js';
import { boundCookiesOf, readCredentials, readOffer } from '../probe-device.js';
import { isJsonObject } from '../../util/json.js';

/** Checks that a browser can bind a session to its device, where the application offers it. */
export function checkDevice(facts: Facts): Finding[] {
  const { deviceRoute, signIn, registerDevice, renewDevice } = facts.exchanges;
  if (deviceRoute === undefined || !isOffered(facts)) return [];
  const instructed = presentExchanges(registerDevice, renewDevice).filter(isSuccess);
  return [
    ...checkCertificate(deviceRoute),
    checkOffer(signIn),
    checkRoutes(facts),
    ...(instructed.length === 0 ? [] : [checkAttributes(instructed), checkOrigin(instructed, facts)]),
    ...checkAddress(registerDevice),
  ];
}

/** Returns whether the application has the option: the header shows it, or the route where the header is lost. */
function isOffered({ exchanges: { deviceRoute, signIn } }: Facts): boolean {
  return (
    headerLines(signIn, 'secure-session-registration').length > 0 ||
    (deviceRoute !== undefined && isOurs(deviceRoute))
  );
}

/** The routes for browsers say so by a header, which hardly anything else in front of them sends with a refusal. */
function isOurs(exchange: RecordedExchange): boolean {
  return readHeader(exchange, 'cross-origin-resource-policy') === 'same-origin';
}

function checkCertificate({ hasTrustedCertificate }: RecordedExchange): Finding[] {
  if (hasTrustedCertificate === undefined) return [];
  return [
    combineFindings(
      'device.certificate',
      hasTrustedCertificate ? [] : ['the certificate of the API is not trusted'],
      'the certificate of the API is trusted',
      {
        why: 'Browsers bind no session at an address with such a certificate, also after its warning was clicked away.',
        fix: 'Serve the API with a certificate that browsers trust.',
      },
    ),
  ];
}

function checkOffer(signIn: RecordedExchange | undefined): Finding {
  const name = signIn === undefined ? 'the sign-in' : exchangeName(signIn);
  const lines = headerLines(signIn, 'secure-session-registration').length;
  const problem =
    lines === 0
      ? `the response to ${name} has no Secure-Session-Registration`
      : `the response to ${name} has a Secure-Session-Registration that browsers cannot follow`;
  return combineFindings(
    'device.offer',
    readOffer(signIn) === undefined ? [problem] : [],
    `the response to ${name} offers to bind the session`,
    {
      why: 'Browsers register no key, so a copied cookie works as if the option were off.',
      fix:
        'Set appInfo.apiDomain to the https:// origin that browsers use, and look for a proxy or middleware that removes, doubles or ' +
        'changes the header.',
    },
  );
}

function checkRoutes({ exchanges }: Facts): Finding {
  const { deviceRoute, registerDevice, challengeDevice, renewDevice } = exchanges;
  const expected = [
    [deviceRoute, 400, 'without a session'],
    [registerDevice, 200, 'with a key'],
    [challengeDevice, 403, 'without a proof'],
    [renewDevice, 200, 'with a proof'],
  ] as const;
  const problems = expected.flatMap(([exchange, status, how]) => {
    if (exchange === undefined || isAsExpected(exchange, status)) return [];
    const seen = exchange.response === undefined ? 'gets no response' : `returns ${exchange.response.status}`;
    const foreign = isOurs(exchange) ? '' : ', which is not the response of the module';
    return [`${exchangeName(exchange)} ${how} ${seen} instead of ${status}${foreign}`];
  });
  return combineFindings(
    'device.routes',
    problems,
    registerDevice === undefined
      ? 'the route by which browsers renew a bound session is there'
      : 'a session was bound to a key, and renewed',
    {
      why: 'At most responses of 4xx and at redirects browsers give their key up for good, and the user is signed out.',
      fix:
        'Let POST to …/session/device/register and …/session/device/refresh pass whatever limits, redirects or filters in front ' +
        'of the application, with its headers both ways (Sec-Secure-Session-Id, Secure-Session-Response, Secure-Session-Challenge).',
    },
  );
}

function isAsExpected(exchange: RecordedExchange, status: number): boolean {
  const hasChallenge = readHeader(exchange, 'secure-session-challenge') !== undefined;
  return exchange.response?.status === status && isOurs(exchange) && (status !== 403 || hasChallenge);
}

function checkAttributes(instructed: readonly RecordedExchange[]): Finding {
  const problems = instructed.flatMap((exchange) =>
    readCredentials(exchange).flatMap(({ name, attributes }) => {
      const url = new URL(exchange.url);
      const cookie = boundCookiesOf(exchange).find((each) => each.name === name);
      if (cookie === undefined) return [`${exchangeName(exchange)} names ${quote(name)} and does not set it`];
      if (dropReasons(cookie, url).length > 0) return [`browsers drop the cookie ${quote(name)}`];
      const promised = parseSetCookie(`${name}=-; ${attributes}`, url, exchange.receivedAtMs);
      const different = promised === undefined ? ['attributes'] : differences(promised, cookie);
      return different.map((what) => `${quote(name)} is set with another ${what} than the instructions say`);
    }),
  );
  const isNamed = instructed.every((exchange) => readCredentials(exchange).length > 0);
  return combineFindings(
    'device.attributes',
    isNamed ? problems : ['the instructions to the browser name no cookie'],
    'the bound cookie is set as the instructions to the browser say',
    {
      why: 'The browser takes the cookie for missing: it holds and renews at every request, until it may sign no more.',
      fix: 'Look for a proxy that rewrites Set-Cookie (proxy_cookie_domain, proxy_cookie_path, proxy_cookie_flags), and leave this cookie out.',
    },
  );
}

const COMPARED: readonly (readonly [string, keyof ReceivedCookie])[] = [
  ['Domain', 'domain'],
  ['Path', 'path'],
  ['SameSite', 'sameSite'],
  ['Secure', 'secure'],
  ['HttpOnly', 'httpOnly'],
  ['Partitioned', 'partitioned'],
];

function differences(promised: ReceivedCookie, real: ReceivedCookie): string[] {
  return COMPARED.filter(([, member]) => promised[member] !== real[member]).map(([name]) => name);
}

/** The module refuses to bind a session at another address than its own, and says so. */
function checkAddress(registerDevice: RecordedExchange | undefined): Finding[] {
  const message = registerDevice?.response?.status === 403 && jsonBody(registerDevice.response)?.['message'];
  if (typeof message !== 'string' || !message.startsWith('sessions are bound at ')) return [];
  return [
    combineFindings('device.origin', [`the application responds ${quote(message)}`], '', ORIGIN_ADVICE),
  ];
}

function checkOrigin(instructed: readonly RecordedExchange[], { api }: Facts): Finding {
  const problems = instructed.flatMap((exchange) => {
    const scope = jsonBody(exchange.response)?.['scope'];
    const origin = isJsonObject(scope) ? scope['origin'] : undefined;
    return origin === api.origin
      ? []
      : [
          `the instructions are for ${quote(typeof origin === 'string' ? origin : 'no origin')}, asked was ${api.origin}`,
        ];
  });
  return combineFindings('device.origin', problems, `the instructions are for ${api.origin}`, ORIGIN_ADVICE);
}

const ORIGIN_ADVICE = {
  why: 'Browsers refuse instructions for another origin than that of the request, without a word.',
  fix: 'Set appInfo.apiDomain to the origin that browsers use.',
};
