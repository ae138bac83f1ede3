import { CoreBadInputError } from '../../errors.js';
import { MAX_PAGE_BYTES } from '../../feed/long-poll-feed.js';
import type { JsonObject } from '../../util/json.js';
import { readCursor, type SessionCountStep, type SessionPosition } from '../../util/session-cursor.js';
import type { UserContext } from '../../util/user-context.js';
import type { CoreSessionPage, CoreSessionSearch } from '../core.types.js';
import { searchRequest } from './cdi-requests.js';
import { parseSessionInformation } from './cdi-responses.js';
import { isUnknownPath } from './core-call-errors.js';
import { CoreConnection } from './core-connection.js';
import type { RemoteCoreConfig } from './remote-core-config.js';

/** Lists and counts sessions at a core that this library serves (`SessionCoreModule`). A SuperTokens Core has no call for that. */
export class RemoteSearch {
  private readonly connection: CoreConnection;

  constructor(config: RemoteCoreConfig, context: ConstructorParameters<typeof CoreConnection>[1]) {
    this.connection = new CoreConnection({ ...config, maxResponseBytes: MAX_PAGE_BYTES }, context);
  }

  async page(search: CoreSessionSearch, userContext: UserContext): Promise<CoreSessionPage> {
    return this.ask('/nest-sessions/sessions', search, parsePage, userContext);
  }

  async count(search: CoreSessionSearch, userContext: UserContext): Promise<SessionCountStep> {
    return this.ask('/nest-sessions/sessions/count', search, parseCount, userContext);
  }

  close(): void {
    this.connection.close();
  }

  /** Asks anew each time, because the sessions are other ones the next moment. */
  private async ask<T>(
    path: string,
    search: CoreSessionSearch,
    parse: (response: JsonObject) => T,
    userContext: UserContext,
  ): Promise<T> {
    try {
      return await this.connection.call(searchRequest(path, search), parse, userContext, { isFresh: true });
    } catch (error) {
      if (!isUnknownPath(error)) throw error;
      throw new CoreBadInputError(
        'The core cannot list or count the sessions of everybody: the CDI of a SuperTokens Core has no such call. ' +
          'A core of SessionCoreModule can, from the version that brought findSessions, as can embeddedCore',
        { cause: error },
      );
    }
  }
}

function parsePage(response: JsonObject): CoreSessionPage {
  const { sessions } = response;
  if (!Array.isArray(sessions)) throw new TypeError('sessions are expected');
  return { sessions: sessions.map(parseSession), next: parseNext(response) };
}

function parseSession(response: unknown): CoreSessionPage['sessions'][number] {
  const session = parseSessionInformation({ ...(response as JsonObject), status: 'OK' });
  if (session === undefined) throw new TypeError('a session is expected');
  return session;
}

function parseCount(response: JsonObject): SessionCountStep {
  const { count } = response;
  if (typeof count !== 'number') throw new TypeError('count is expected');
  return { count, next: parseNext(response) };
}

function parseNext({ next }: JsonObject): SessionPosition | undefined {
  if (next === undefined) return undefined;
  const position = typeof next === 'string' ? readCursor(next) : undefined;
  if (position === undefined) throw new TypeError('next must be a place');
  return position;
}
