import { readHeader, exchangeName, finalResponse, type RecordedExchange } from '../exchange.js';
import { allExchanges, type Facts } from '../facts.js';
import { ok, combineFindings, warning, type Finding } from '../finding.js';
import { readTokens, payloadWithoutVerifying } from '../session-tokens.js';

const HARMLESS_SKEW_SEC = 5;
const HARMFUL_SKEW_SEC = 60;
const SHORT_LIFE_SEC = 60;
const LONG_LIFE_SEC = 24 * 60 * 60;

/** Checks that the clocks agree and that access tokens have a usual lifetime. */
export function checkClock(facts: Facts): Finding[] {
  return [...checkServerClock(facts), ...checkTokenTimes(facts)];
}

function checkServerClock(facts: Facts): Finding[] {
  const [best] = allExchanges(facts)
    .filter((exchange) => serverTimeMs(exchange) !== undefined)
    .toSorted((a, b) => roundTrip(a) - roundTrip(b));
  if (best === undefined) return [];
  const localMs = (best.sentAtMs + best.receivedAtMs) / 2;
  const skewMs = (serverTimeMs(best) ?? 0) + 500 - localMs; // the header is cut to whole seconds
  const skewSec = Math.round(Math.max(0, Math.abs(skewMs) - 500 - roundTrip(best) / 2) / 1000);
  const direction = skewMs > 0 ? 'ahead of' : 'behind';
  return [
    combineFindings(
      'clock.server',
      skewSec > HARMLESS_SKEW_SEC ? [`the API's clock is ${skewSec} s ${direction} the clock here`] : [],
      "the API's clock agrees with the clock here",
      {
        why: 'The client counts on its own clock when it decides that a token has expired; so do other services.',
        fix: 'One of the two is wrong: synchronise both machines by NTP.',
      },
      skewSec > HARMFUL_SKEW_SEC ? 'error' : 'warning',
    ),
  ];
}

/** Checks the core's clock, which may differ from the application's. */
function checkTokenTimes({ exchanges: { signIn, refresh } }: Facts): Finding[] {
  const exchange = [refresh, signIn].find((each) => readTokenTimes(each) !== undefined);
  const times = readTokenTimes(exchange);
  if (exchange === undefined || times === undefined) return [];
  const serverSec = (serverTimeMs(exchange) ?? exchange.receivedAtMs) / 1000;
  const skewSec = Math.round(times.issued - serverSec);
  const isOff = Math.abs(skewSec) > HARMLESS_SKEW_SEC;
  return [
    combineFindings(
      'clock.token',
      isOff ? [`the access token was issued ${describe(skewSec)} the API's clock`] : [],
      "the access token was issued by the API's clock",
      {
        why: 'The core and the application count time differently: tokens expire too early or too late.',
        fix: 'Synchronise the machines of core, database and application by NTP.',
      },
      Math.abs(skewSec) > HARMFUL_SKEW_SEC ? 'error' : 'warning',
    ),
    checkLife(times.expires - times.issued, exchangeName(exchange)),
  ];
}

function checkLife(seconds: number, name: string): Finding {
  const seen = `the access token of ${name} lives ${seconds} s`;
  if (seconds < SHORT_LIFE_SEC) {
    return warning('token.lifetime', seen, {
      why: 'Clients refresh all the time, and small differences between clocks become errors.',
      fix: 'Raise accessTokenValiditySec (default 3600).',
    });
  }
  if (seconds > LONG_LIFE_SEC) {
    return warning('token.lifetime', seen, {
      why: 'A stolen token works that long, and a revoked session too, on routes that do not check the database.',
      fix: 'Lower accessTokenValiditySec (default 3600): refreshes cost little.',
    });
  }
  return ok('token.lifetime', seen);
}

function readTokenTimes(
  exchange: RecordedExchange | undefined,
): { issued: number; expires: number } | undefined {
  const payload = payloadWithoutVerifying(readTokens(exchange).accessToken);
  const [issued, expires] = [payload?.['iat'], payload?.['exp']];
  return typeof issued === 'number' && typeof expires === 'number' ? { issued, expires } : undefined;
}

function serverTimeMs(exchange: RecordedExchange): number | undefined {
  const time = Date.parse(finalResponse(exchange) === undefined ? '' : (readHeader(exchange, 'date') ?? ''));
  return Number.isNaN(time) ? undefined : time;
}

function roundTrip({ sentAtMs, receivedAtMs }: RecordedExchange): number {
  return receivedAtMs - sentAtMs;
}

function describe(skewSec: number): string {
  return `${Math.abs(skewSec)} s ${skewSec > 0 ? 'ahead of' : 'behind'}`;
}
