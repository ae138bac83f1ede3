import { CoreResponseError, CoreUnavailableError } from '../errors.js';
import { releaseTimer } from '../util/timers.js';

/**
 * The `fetch` of a runtime, as far as it is used here.
 *
 * @publicApi
 */
export type FetchFunction = (url: string, init: RequestInit) => Promise<Response>;

/** Calls the `fetch` of the runtime, looked up at each call: some set it, or replace it, after modules have loaded. */
export const runtimeFetch: FetchFunction = async (url, init) => globalThis.fetch(url, init);

/**
 * Fetches a text. Redirects are not followed, because keys and records of another address than the configured one must not count.
 *
 * @param limits.signal ends the call early
 * @throws {CoreUnavailableError} there is no response in time
 * @throws {CoreResponseError} the response is too long
 */
export async function fetchText(
  fetch: FetchFunction,
  address: string,
  init: RequestInit,
  limits: { readonly timeoutMs: number; readonly maxLength: number; readonly signal?: AbortSignal },
): Promise<{ readonly status: number; readonly text: string }> {
  const { timeoutMs, maxLength, signal } = limits;
  const ending = new AbortController();
  const end = (): void => ending.abort();
  const timer = releaseTimer(setTimeout(end, timeoutMs));
  signal?.addEventListener('abort', end);
  if (signal?.aborted === true) end();
  try {
    const response = await fetch(address, { ...init, redirect: 'manual', signal: ending.signal });
    const text = await readText(response, maxLength);
    if (text === undefined)
      throw new CoreResponseError(`The response of ${address} is longer than ${maxLength} bytes`);
    return { status: response.status, text };
  } catch (error) {
    if (error instanceof CoreResponseError) throw error;
    const reason = ending.signal.aborted ? `within ${timeoutMs} ms` : 'at all';
    throw new CoreUnavailableError(`${address} does not respond ${reason}`, { cause: error });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', end);
  }
}

/** Reads a body of at most so many bytes. @returns undefined for a longer one, whose rest is not read */
async function readText({ body }: Response, maxLength: number): Promise<string | undefined> {
  const reader: ReadableStreamDefaultReader<Uint8Array> | undefined = body?.getReader();
  const decoder = new TextDecoder();
  let text = '';
  let left = maxLength;
  let chunk = await reader?.read();
  while (chunk?.value !== undefined) {
    left -= chunk.value.byteLength;
    if (left < 0) {
      void reader?.cancel().catch(() => undefined);
      return undefined;
    }
    text += decoder.decode(chunk.value, { stream: true });
    chunk = await reader?.read();
  }
  return text + decoder.decode();
}
