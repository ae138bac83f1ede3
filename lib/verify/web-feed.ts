import { CoreResponseError, CoreUnavailableError } from '../errors.js';
import {
  LongPollFeed,
  MAX_PAGE_BYTES,
  parseRevocationsResponse,
  type RevocationsResponse,
  type RevocationsQuestion,
} from '../feed/long-poll-feed.js';
import type { Clock } from '../util/clock.js';
import { parseJsonObject, type JsonObject } from '../util/json.js';
import { OccasionalWarning } from '../util/occasional-warning.js';
import type { FetchFunction } from './web-fetch.js';
import { fetchText } from './web-fetch.js';

/** Beyond the time that the other side is asked to wait. */
const TIMEOUT_MS = 5000;
const STATES = ['OK', 'UNAUTHORISED', 'TRY_REFRESH_TOKEN'] as const;

/** The core's word about a session. `EXPIRED`: by the clock of that core; one whose clock is behind may still give it more time. */
export type SessionState = (typeof STATES)[number] | 'EXPIRED';

/** The feed of a Nest application or of a served core, over `fetch`. */
export class WebFeed extends LongPollFeed {
  private readonly closing = new AbortController();
  private readonly warning: OccasionalWarning;

  constructor(
    private readonly server: { readonly url: string; readonly apiKey: string | undefined },
    private readonly fetch: FetchFunction,
    clock: Clock,
  ) {
    super();
    this.warning = new OccasionalWarning(clock);
  }

  override get description(): string {
    return this.server.url;
  }

  /** Ends the calls under way. */
  close(): void {
    this.closing.abort();
  }

  /** @throws {CoreUnavailableError | CoreResponseError} there is no response about the session */
  async confirm(accessToken: string): Promise<SessionState> {
    const { status, hasExpired } = await this.post({ accessToken }, TIMEOUT_MS);
    const state = STATES.find((each) => each === status);
    if (state === undefined) throw new CoreResponseError(`${this.server.url} gives no state of a session`);
    return hasExpired === true ? 'EXPIRED' : state;
  }

  protected override async ask({ after, seen, waitMs }: RevocationsQuestion): Promise<RevocationsResponse> {
    const question = { ...(after !== undefined && { after }), ...(seen !== undefined && { seen }), waitMs };
    return parseRevocationsResponse(await this.post(question, waitMs + TIMEOUT_MS));
  }

  private async post(body: JsonObject, timeoutMs: number): Promise<JsonObject> {
    const { url, apiKey } = this.server;
    const headers = {
      'content-type': 'application/json',
      ...(apiKey !== undefined && { 'api-key': apiKey }),
    };
    const init = { method: 'POST', headers, body: JSON.stringify(body) };
    const limits = { timeoutMs, maxLength: MAX_PAGE_BYTES, signal: this.closing.signal };
    const { status, text } = await fetchText(this.fetch, url, init, limits);
    const json = status === 200 ? parseJsonObject(text) : undefined;
    if (json !== undefined) return json;
    if (status === 429 || status >= 500)
      throw new CoreUnavailableError(`${url} cannot respond now: status ${status}`);
    const message = `The feed of revocations at ${url} responds with status ${status}: check url and apiKey of servedRevocations`;
    this.warning.warn(message);
    throw new CoreResponseError(message);
  }
}
