import { Agent, request, type IncomingHttpHeaders } from 'node:http';
import { afterEach, describe, expect, it } from '@jest/globals';
import { startServedCore } from '../support/served-core.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';

const API_KEY = 'a-key-of-this-test-1234';

interface Answer {
  readonly headers: IncomingHttpHeaders;
  readonly seen: string;
  readonly position: string;
}

/** A server that closes, and the address of its feed. */
interface ClosingServer {
  readonly address: string;
  close(): Promise<void>;
}

let agent: Agent;

afterEach(() => {
  agent.destroy();
});

/** Asks the feed over connections that are kept. */
async function ask(address: string, question: object): Promise<Answer> {
  const headers = { 'api-key': API_KEY, 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const sent = request(address, { method: 'POST', agent, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => resolve({ ...(JSON.parse(text) as Answer), headers: response.headers }));
    });
    sent.on('error', reject).end(JSON.stringify(question));
  });
}

async function startApplication(adapter: (typeof ADAPTERS)[number]): Promise<ClosingServer> {
  const application = await TestApplication.on(adapter)
    .with({ revocationFeed: { apiKeys: [API_KEY] } })
    .start();
  const address = `http://127.0.0.1:${application.port}/auth/session/revocations`;
  return { address, close: async () => application.close() };
}

async function startCore(): Promise<ClosingServer> {
  const core = await startServedCore({ options: { apiKeys: [API_KEY], revocationFeed: true } });
  return { address: `${core.uri}/nest-sessions/revocations`, close: async () => core.close() };
}

describe('a server whose feed is read while it closes', () => {
  it.each([
    ...ADAPTERS.map(
      (adapter) => [`an application on ${adapter}`, async () => startApplication(adapter)] as const,
    ),
    ['a served core', startCore] as const,
  ])('responds to the waiting readers and ends their connections: %s', async (_name, start) => {
    agent = new Agent({ keepAlive: true });
    const server = await start();
    const first = await ask(server.address, {});
    const { seen, position } = first;
    const waiting = ask(server.address, { after: position, seen, waitMs: 25_000 });
    await ask(server.address, {}); // the question before has arrived by now
    await server.close();
    expect(first.headers.connection).toBe('keep-alive');
    expect((await waiting).headers.connection).toBe('close');
  });
});
