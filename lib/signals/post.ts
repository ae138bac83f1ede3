import { isSafeAddress } from '../util/hosts.js';

const MAX_RETRY_AFTER_MS = 3_600_000;
/** Bytes of a response that are read; the rest is left. */
const MAX_READ = 4096;
const MAX_ATTEMPTS = 100;

/** The response to a POST. */
export interface PostResponse {
  readonly status: number;
  readonly retryAfterMs: number | undefined;
  /** The beginning of the body. */
  readonly text: string;
}

/** Sends a body once, without following redirects. The message of a failure names no header and no body. */
export async function postOnce(
  url: string,
  request: { readonly headers: Record<string, string>; readonly body: string; readonly signal: AbortSignal },
): Promise<PostResponse> {
  const response = await fetch(url, { method: 'POST', redirect: 'manual', ...request });
  const text = await readBeginning(response);
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  const retryAfterMs = seconds > 0 ? Math.min(seconds * 1000, MAX_RETRY_AFTER_MS) : undefined;
  return { status: response.status, retryAfterMs, text };
}

async function readBeginning(response: Response): Promise<string> {
  if (response.body === null) return '';
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length >= MAX_READ) break; // which also cancels the rest
  }
  return text.slice(0, MAX_READ);
}

/** @throws {TypeError} the address is none that signed records may go to */
export function assertDeliveryUrl(caller: string, url: string): void {
  if (isSafeAddress(url)) return;
  throw new TypeError(
    `${caller}: url: an https: address without a user is expected, or http: on a loopback address`,
  );
}

/** Returns the member of a delivery; none where the option is absent. @throws {TypeError} it is out of its range */
export function readMaxAttempts(caller: string, maxAttempts: number | undefined): { maxAttempts?: number } {
  if (maxAttempts === undefined) return {};
  if (Number.isInteger(maxAttempts) && maxAttempts >= 1 && maxAttempts <= MAX_ATTEMPTS)
    return { maxAttempts };
  throw new TypeError(`${caller}: maxAttempts: a whole number from 1 to ${MAX_ATTEMPTS} is expected`);
}
