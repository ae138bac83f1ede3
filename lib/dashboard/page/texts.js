// Words and times of the page.
import { h } from './dom.js';

/** @type {Record<string, string>} */
export const KINDS = {
  'session.created': 'Signed in',
  'session.refreshed': 'Refreshed',
  'session.promoted': 'New refresh token in use',
  'session.grace-hit': 'Refresh repeated',
  'session.data-changed': 'Data changed',
  'session.payload-changed': 'Payload changed',
  'session.theft-detected': 'Theft detected',
  'session.claims-rejected': 'Refused by a claim',
  'session.reauthenticated': 'Proved who they are',
  'session.new-device': 'New device',
  'session.revoked': 'Ended',
  'session.expired': 'Expired',
  'sessions.ended-before': 'All older ones ended',
  'session.hand-over-refused': 'Hand-over refused',
  'device.registered': 'Bound to a device',
  'device.refreshed': 'Device proved its key',
  'device.proof-refused': 'Proof refused',
  'device.skipped': 'Device proof left out',
  'delivery.failed': 'Delivery given up',
  'key.rotated': 'New signing key',
  'revocations.state': 'Feed of ended sessions',
  'revocations.overflow': 'Feed is full',
  'core.unavailable': 'Core out of reach',
  'core.available': 'Core responds again',
};

/** @type {Record<string, string>} */
export const REFUSALS = {
  NO_TOKEN: 'No token',
  UNAUTHORISED: 'No session',
  TRY_REFRESH_TOKEN: 'Token expired',
  INVALID_CLAIMS: 'Claim',
  CLEAR_DUPLICATE_SESSION_COOKIES: 'Cookies twice',
  CORE_UNAVAILABLE: 'Core down',
  CORE_RESPONSE: 'Response of the core',
  ERROR: 'Another error',
};

/** @param {string} kind */
export function kindText(kind) {
  return KINDS[kind] ?? kind;
}

/** The colour of an entry. @param {string} kind */
export function toneOf(kind) {
  if (kind === 'session.theft-detected' || kind === 'core.unavailable' || kind === 'delivery.failed')
    return 'danger';
  if (kind === 'session.revoked' || kind === 'session.expired' || kind === 'sessions.ended-before')
    return 'ended';
  if (kind === 'session.created' || kind === 'core.available') return 'good';
  return kind.endsWith('rejected') || kind.endsWith('refused') || kind === 'session.new-device'
    ? 'warn'
    : 'plain';
}

const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const HOUR = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

/** @param {number} ms */
export function clockText(ms) {
  return HOUR.format(new Date(ms));
}

/** A moment, `dateTime` for machines. @param {number | undefined} ms @param {'moment' | 'clock'} [form] */
export function time(ms, form = 'moment') {
  if (ms === undefined || !Number.isFinite(ms) || Math.abs(ms) > 8.64e15) return h('span', {}, '–');
  const date = new Date(ms);
  const text = form === 'clock' ? CLOCK.format(date) : MOMENT.format(date);
  return h('time', { datetime: date.toISOString(), title: date.toISOString() }, text);
}

const UNITS = /** @type {const} */ ([
  [86_400_000, 'day'],
  [3_600_000, 'hour'],
  [60_000, 'minute'],
  [1000, 'second'],
]);

/** `3 hours`. @param {number} ms */
export function durationText(ms) {
  const [size, unit] = UNITS.find(([each]) => Math.abs(ms) >= each) ?? UNITS[3];
  return plural(Math.floor(Math.abs(ms) / size), unit);
}

/** @param {number} count */
export function countText(count) {
  return count.toLocaleString('en');
}

/** `3 hours`. @param {number} count @param {string} one */
export function plural(count, one) {
  return `${countText(count)} ${one}${count === 1 ? '' : 's'}`;
}
