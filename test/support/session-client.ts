import type { TestSession } from 'nest-sessions/testing';
import { ClientTokens } from '../../lib/testing/client-tokens.js';
import type { ClientResponse, HttpClient, RequestToSend } from './http-client.js';

/** The options of a login beside the user. */
export interface LoginInput {
  readonly tenantId?: string;
  readonly payload?: object | null;
  readonly data?: object | null;
}

export interface FrontToken {
  readonly uid: string;
  readonly ate: number;
  readonly up: Readonly<Record<string, unknown>>;
}

/** A client that holds tokens as a browser with supertokens-website does, and refreshes only when it is told to. */
export class SessionClient extends ClientTokens {
  constructor(
    private readonly http: HttpClient,
    mode: 'cookie' | 'header',
    private readonly basePath = '/auth',
  ) {
    super(mode, { refreshPath: `${basePath}/session/refresh` });
  }

  /** Sends a request with what the client holds; given headers win. */
  async send({ headers, path, ...request }: RequestToSend): Promise<ClientResponse> {
    const response = await this.http.send({
      ...request,
      path,
      headers: { ...this.requestHeaders(path), ...headers },
    });
    this.keep(unambiguous(response));
    return response;
  }

  async get(path: string, headers: RequestToSend['headers'] = {}): Promise<ClientResponse> {
    return this.send({ path, headers });
  }

  async post(path: string, body?: unknown, headers: RequestToSend['headers'] = {}): Promise<ClientResponse> {
    return this.send({ method: 'POST', path, body, headers });
  }

  /** Signs in at `/login`. @throws when the response is no 201 */
  async login(userId = 'user-1', input: LoginInput = {}): Promise<ClientResponse> {
    const response = await this.post('/login', { userId, ...input });
    if (response.status !== 201)
      throw new Error(`The login responded with ${response.status}: ${response.text}`);
    return response;
  }

  async refresh(headers: RequestToSend['headers'] = {}): Promise<ClientResponse> {
    return this.post(`${this.basePath}/session/refresh`, undefined, headers);
  }

  async signOut(headers: RequestToSend['headers'] = {}): Promise<ClientResponse> {
    return this.post(`${this.basePath}/signout`, undefined, headers);
  }

  /** Holds the tokens of a session, under the default names. */
  take({ accessToken, refreshToken, antiCsrfToken }: TestSession): void {
    this.antiCsrf = antiCsrfToken;
    if (this.mode === 'header') {
      this.accessToken = accessToken;
      this.refreshToken = refreshToken;
    } else {
      this.setCookie('sAccessToken', encodeURIComponent(accessToken));
      this.setCookie('sRefreshToken', encodeURIComponent(refreshToken), `${this.basePath}/session/refresh`);
    }
  }

  /** Another client with the same tokens: a second tab, or a thief. */
  copy(): SessionClient {
    const other = new SessionClient(this.http, this.mode, this.basePath);
    other.adoptTokens(this);
    return other;
  }

  /** The front token, read as a browser reads it. */
  get front(): FrontToken {
    return readFrontToken(this.frontToken ?? '');
  }
}

/** Fails where a response says something about one token twice. */
function unambiguous(response: ClientResponse): Pick<ClientResponse, 'lines'> {
  for (const line of response.lines('set-cookie')) response.setCookie(line.slice(0, line.indexOf('=')));
  return {
    lines: (name) => {
      const lines = response.lines(name);
      if (name !== 'set-cookie') response.header(name);
      return lines;
    },
  };
}

export function readFrontToken(value: string): FrontToken {
  return JSON.parse(Buffer.from(value, 'base64').toString('utf8')) as FrontToken;
}
