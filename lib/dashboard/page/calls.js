// Calls of the application that serves this page.

const BASE = new URL('..', import.meta.url);
const { refresh, expired } = document.documentElement.dataset;
/** The status of a response to a call without a good session: an option of the application. */
const EXPIRED = Number(expired);
/** The core, its store or a proxy is out of reach for a while. */
const OUTAGES = new Set([502, 503, 504]);

/** A call that failed; its message is for people. */
export class CallError extends Error {
  /** @param {string} message @param {'over' | 'passing' | 'refused'} kind `over`: the session; `passing`: the same call may succeed in a while */
  constructor(message, kind) {
    super(message);
    this.kind = kind;
  }
}

/** @type {Promise<CallError | undefined> | undefined} */
let renewal;

/**
 * Refreshes the session once for all calls that found the access token expired, and asks for no other refresh before the time that the
 * application names.
 *
 * @param {string} path @returns {Promise<CallError | undefined>} the reason why there is no new token
 */
async function renew(path) {
  let waitMs = 0;
  try {
    const response = await send(path, { method: 'POST', headers: { rid: 'session' } });
    if (response.ok) return undefined;
    waitMs = 1000 * Number(response.headers.get('retry-after') ?? 0);
    return await errorOf(response);
  } finally {
    setTimeout(() => (renewal = undefined), waitMs);
  }
}

/**
 * @param {string} path below the page's address
 * @param {Record<string, string | number | undefined>} [query] empty ones are left out
 */
export async function read(path, query = {}) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== '') url.searchParams.set(name, String(value));
  return call(url, {});
}

/** @param {string} path @param {unknown} body */
export async function act(path, body) {
  return call(new URL(path, BASE), {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'nest-sessions-dashboard': '1' },
    body: JSON.stringify(body),
  });
}

export function openEvents() {
  return new EventSource(new URL('events', BASE));
}

/** @param {URL} url @param {RequestInit} init */
async function call(url, init, isRepeated = false) {
  const response = await send(url, init);
  if (response.ok)
    return response.json().catch(() => {
      throw new CallError('The response of the application does not arrive whole.', 'passing');
    });
  if (response.status !== EXPIRED || isRepeated || !refresh) throw await errorOf(response);
  const refusal = await (renewal ??= renew(refresh));
  if (refusal !== undefined) throw refusal;
  return call(url, init, true);
}

/** @param {URL | string} url @param {RequestInit} init */
async function send(url, init) {
  return fetch(url, init).catch(() => {
    throw new CallError('The application does not respond.', 'passing');
  });
}

/** @param {Response} response */
async function errorOf(response) {
  const { status } = response;
  if (status === EXPIRED)
    return new CallError(
      refresh
        ? 'Your session is over. Sign in to the application, and load this page again.'
        : 'Your session is over, or its access token has expired. Use the application, and load this page again.',
      'over',
    );
  if (status === 429)
    return new CallError('The application asks you to wait, because too many calls came.', 'passing');
  if (OUTAGES.has(status))
    return new CallError('The core or its store does not respond. This page may show old facts.', 'passing');
  if (status === 403) return new CallError('You may not do that, or no longer.', 'refused');
  const body = await response.json().catch(() => undefined);
  const message = typeof body?.message === 'string' ? body.message : '';
  return new CallError(message || `The application responded with status ${status}.`, 'refused');
}
