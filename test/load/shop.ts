import type { Usage } from '../histories/application/settings.js';
import { monotonicMs } from '../histories/application/stepped-clock.js';
import { startDatabase, type Database, type StoreKind } from '../histories/fleet/databases.js';
import type { HttpCall, HttpResponse } from '../histories/fleet/http-call.js';
import { InstanceProcess } from '../histories/fleet/instance-process.js';

/** The tokens that a client holds. */
interface Tokens {
  access: string;
  refresh: string;
}

export const KINDS = ['guarded', 'refresh', 'sign-in'] as const;
export type Kind = (typeof KINDS)[number];

/** Three instances of the application on one database, and clients that have signed in. */
export class Shop {
  private readonly clients: Tokens[] = [];
  private next = 0;

  private constructor(
    private readonly database: Database,
    private readonly instances: readonly InstanceProcess[],
  ) {}

  static async open(store: StoreKind, program: string, clients: number): Promise<Shop> {
    const database = await startDatabase(store);
    const settings = {
      store: database.place,
      framework: 'fastify',
      antiCsrf: 'NONE',
      accessValiditySec: 3600,
      refreshValiditySec: 8_640_000,
      signingAlgorithm: 'RS256',
      pollMs: 1000,
      connections: 10,
      patienceMs: 5000,
      epochMs: Date.now() - monotonicMs(),
    } as const;
    const instances = [1, 2, 3].map((number) => new InstanceProcess(number, program, settings));
    const shop = new Shop(database, instances);
    try {
      for (const instance of instances) await instance.start();
      for (let n = 0; n < clients; n++) shop.clients.push(await shop.signIn());
    } catch (error) {
      await shop.close();
      throw error;
    }
    return shop;
  }

  /** Makes one call of a kind, at the next instance and for the next client. @throws {Error} the response is no success */
  async call(kind: Kind): Promise<void> {
    if (kind === 'sign-in') return void (await this.signIn());
    const client = this.clients[this.next % this.clients.length];
    if (client === undefined) throw new Error('No client has signed in');
    if (kind === 'guarded') return void (await this.send('GET', '/guarded', client.access));
    const response = await this.send('POST', '/auth/session/refresh', client.refresh);
    Object.assign(client, tokensIn(response));
  }

  async usages(): Promise<readonly Usage[]> {
    return Promise.all(
      this.instances.map(async (instance) => {
        const { text } = await instance.send({ method: 'GET', path: '/usage' });
        return JSON.parse(text) as Usage;
      }),
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.instances.map(async (instance) => instance.kill()));
    await this.database.stop();
  }

  private async signIn(): Promise<Tokens> {
    const body = { userId: `user-${this.next}`, tenantId: 'public' };
    return tokensIn(await this.send('POST', '/sign-in', undefined, body));
  }

  private async send(
    method: HttpCall['method'],
    path: string,
    token?: string,
    body?: object,
  ): Promise<HttpResponse> {
    const instance = this.instances[this.next++ % this.instances.length];
    if (instance === undefined) throw new Error('There is no instance');
    const response = await instance.send({ method, path, token, body, patienceMs: 10_000 });
    if (response.status >= 300) throw new Error(`${path}: ${response.status} ${response.text}`);
    return response;
  }
}

function tokensIn({ headers }: HttpResponse): Tokens {
  const [access, refresh] = [headers['st-access-token'], headers['st-refresh-token']];
  if (typeof access !== 'string' || typeof refresh !== 'string')
    throw new Error('The response has no tokens');
  return { access, refresh };
}
