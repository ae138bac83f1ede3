// Calls of the application that serves this page.

const BASE = new URL('..', import.meta.url);
const { refresh } = document.documentElement.dataset;

/** A call that failed; its message is for people. */
export class CallError extends Error {
  /** @param {string} message @param {number} status 0: no response */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** @type {Promise<boolean> | undefined} */
let renewal;

/** Refreshes the session once for all calls that found the access token expired. */
function renew() {
  renewal ??= (async () => {
    if (!refresh) return false;
    const response = await fetch(refresh, { method: 'POST', headers: { rid: 'session' } });
    return response.ok;
  })().finally(() => (renewal = undefined));
  return renewal;
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
  let response;
  try {
    response = await fetch(url, init);
  } catch {
    throw new CallError('The application does not respond.', 0);
  }
  if (response.ok) return response.json();
  if (response.status === 401 && !isRepeated && (await renew())) return call(url, init, true);
  throw new CallError(await messageOf(response), response.status);
}

/** @param {Response} response */
async function messageOf(response) {
  if (response.status === 401)
    return 'Your session is over. Sign in to the application, and load this page again.';
  if (response.status === 503) return 'The core or its store does not respond. What is shown may be old.';
  const body = await response.json().catch(() => undefined);
  const message = typeof body?.message === 'string' ? body.message : '';
  if (response.status === 403) return 'You may not do that, or no longer.';
  return message === '' ? `The application responded with status ${response.status}.` : message;
}
