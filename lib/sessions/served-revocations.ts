import { confirmToken } from '../core/confirm-token.js';
import type { CoreClient } from '../core/core-client.js';
import { UnauthorisedError } from '../errors.js';
import type { RevocationFeed } from '../feed/revocation-feed.js';
import { readFeedQuestion, ServedFeed } from '../feed/served-feed.js';
import type { SessionRequest } from '../http/session-request.js';
import { ApiKeys, presentedApiKey } from '../util/api-keys.js';
import type { Clock } from '../util/clock.js';
import { isJsonObject, readMember, type JsonObject } from '../util/json.js';

/** The ended sessions that this instance knows of, for verifiers in other processes (`nest-sessions/verify`). */
export class ServedRevocations {
  private readonly feed: ServedFeed;
  private readonly apiKeys: ApiKeys;

  /** @param apiKeys at least one */
  constructor(
    feed: RevocationFeed,
    apiKeys: readonly string[],
    private readonly core: CoreClient,
    clock: Clock,
  ) {
    this.feed = new ServedFeed(feed, clock);
    this.apiKeys = new ApiKeys(apiKeys);
  }

  start(): void {
    this.feed.start();
  }

  /** See {@link ServedFeed.endWaiting}. */
  endWaiting(): void {
    this.feed.endWaiting();
  }

  async stop(): Promise<void> {
    await this.feed.stop();
  }

  /** Tells the waiting verifiers about what this process has ended. */
  announceOwn(): void {
    this.feed.announceOwn();
  }

  /**
   * Responds to a verifier: with a page of the feed, or with the state of one session.
   *
   * @returns undefined for a body that asks neither
   * @throws {UnauthorisedError} the API key is missing or wrong
   */
  async respond({ request, response }: SessionRequest): Promise<object | undefined> {
    const key = presentedApiKey((name) => request.getHeaderValue(name));
    if (!this.apiKeys.accepts(key))
      throw new UnauthorisedError('The API key is wrong', { clearTokens: false });
    const body = readMember(request.original, 'body');
    const result = isJsonObject(body) ? await this.handle(body) : undefined;
    for (const [name, value] of Object.entries(this.feed.headers)) response.setHeader(name, value);
    return result;
  }

  private async handle(body: JsonObject): Promise<object | undefined> {
    const { accessToken } = body;
    if (typeof accessToken === 'string') return confirmToken(this.core, accessToken);
    const question = readFeedQuestion(body);
    return typeof question === 'string' ? undefined : { status: 'OK', ...(await this.feed.read(question)) };
  }
}
