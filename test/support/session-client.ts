import type { Answer, HttpClient, RequestToSend } from './http-client.js';

interface StoredCookie {
  readonly value: string;
  readonly path: string;
}

/** What a login asks for beside the user. */
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

/**
 * A client that treats tokens as a browser with supertokens-website does: a cookie jar, or stored tokens that go out as
 * bearer; keeps what answers set and forgets what they clear.
 */
export class SessionClient {
  accessToken: string | undefined;
  refreshToken: string | undefined;
  antiCsrf: string | undefined;
  frontToken: string | undefined;
  private readonly cookies = new Map<string, StoredCookie>();

  constructor(
    private readonly http: HttpClient,
    readonly mode: 'cookie' | 'header',
    private readonly basePath = '/auth',
  ) {}

  /** Sends a request with what the client holds; given headers win. */
  async send({ headers, path, ...request }: RequestToSend): Promise<Answer> {
    const isRefresh = path === `${this.basePath}/session/refresh`;
    const answer = await this.http.send({
      ...request,
      path,
      headers: { ...this.credentials(path, isRefresh), ...headers },
    });
    this.keep(answer);
    return answer;
  }

  async get(path: string, headers: RequestToSend['headers'] = {}): Promise<Answer> {
    return this.send({ path, headers });
  }

  async post(path: string, body?: unknown, headers: RequestToSend['headers'] = {}): Promise<Answer> {
    return this.send({ method: 'POST', path, body, headers });
  }

  /** Signs in at `/login`. @throws when the answer is no 201 */
  async login(userId = 'user-1', input: LoginInput = {}): Promise<Answer> {
    const answer = await this.post('/login', { userId, ...input });
    if (answer.status !== 201) throw new Error(`The login answered ${answer.status}: ${answer.text}`);
    return answer;
  }

  async refresh(headers: RequestToSend['headers'] = {}): Promise<Answer> {
    return this.post(`${this.basePath}/session/refresh`, undefined, headers);
  }

  async signOut(headers: RequestToSend['headers'] = {}): Promise<Answer> {
    return this.post(`${this.basePath}/signout`, undefined, headers);
  }

  /** Another client with the same tokens: a second tab, or a thief. */
  copy(): SessionClient {
    const other = new SessionClient(this.http, this.mode, this.basePath);
    other.accessToken = this.accessToken;
    other.refreshToken = this.refreshToken;
    other.antiCsrf = this.antiCsrf;
    other.frontToken = this.frontToken;
    for (const [name, cookie] of this.cookies) other.cookies.set(name, cookie);
    return other;
  }

  cookie(name: string): string | undefined {
    return this.cookies.get(name)?.value;
  }

  /** The front token, read as a browser reads it. */
  get front(): FrontToken {
    return readFrontToken(this.frontToken ?? '');
  }

  private credentials(path: string, isRefresh: boolean): Record<string, string | undefined> {
    const cookies = [...this.cookies].filter(([, cookie]) => path.startsWith(cookie.path));
    const bearer = isRefresh ? this.refreshToken : this.accessToken;
    return {
      'st-auth-mode': this.mode,
      rid: 'anti-csrf',
      'anti-csrf': this.antiCsrf,
      cookie:
        cookies.length === 0 ? undefined : cookies.map(([name, { value }]) => `${name}=${value}`).join('; '),
      authorization: bearer === undefined ? undefined : `Bearer ${bearer}`,
    };
  }

  private keep(answer: Answer): void {
    for (const line of answer.lines('set-cookie')) {
      const name = line.slice(0, line.indexOf('='));
      const cookie = answer.setCookie(name);
      if (cookie === undefined || cookie.value === '') this.cookies.delete(name);
      else this.cookies.set(name, { value: cookie.value, path: cookie.path ?? '/' });
    }
    const header = (name: string, held: string | undefined): string | undefined => {
      const value = answer.header(name);
      return value === undefined ? held : value || undefined;
    };
    this.accessToken = this.mode === 'header' ? header('st-access-token', this.accessToken) : undefined;
    this.refreshToken = this.mode === 'header' ? header('st-refresh-token', this.refreshToken) : undefined;
    this.antiCsrf = header('anti-csrf', this.antiCsrf);
    this.frontToken = header('front-token', this.frontToken);
    if (this.frontToken !== 'remove') return;
    this.frontToken = this.accessToken = this.refreshToken = this.antiCsrf = undefined;
  }
}

export function readFrontToken(value: string): FrontToken {
  return JSON.parse(Buffer.from(value, 'base64').toString('utf8')) as FrontToken;
}
