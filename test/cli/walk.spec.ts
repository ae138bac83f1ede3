import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import {
  postgresStore,
  sqliteStore,
  type PlainRequest,
  type Sessions,
  type SessionStore,
} from 'nest-sessions/standalone';
import { COMMANDS } from '../../lib/cli/commands/all-commands.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { codeBlocks } from '../docs/documents.js';
import { startPostgres } from '../support/postgres.js';
import { shell, shopOn } from '../support/shell.js';
import { CHROME, FIREFOX } from '../support/user-agents.js';

const GUIDE = 'docs/guides/command-line.md';
const START_MS = Date.UTC(2026, 0, 31, 8);
const HOME = '203.0.113.7';
const ABROAD = '198.51.100.20';
const AGENTS = {
  phone:
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1',
  laptop: FIREFOX,
  thief: CHROME,
};

interface Device {
  readonly ip: string;
  readonly userAgent: string;
}

function requestOf({ ip, userAgent }: Device, method: string, url: string, token?: string): PlainRequest {
  const headers = { 'st-auth-mode': 'header', 'user-agent': userAgent };
  return {
    method,
    url,
    ip,
    headers: token === undefined ? headers : { ...headers, authorization: `Bearer ${token}` },
  };
}

async function signIn(sessions: Sessions, device: Device) {
  const session = await sessions.createNewSession(requestOf(device, 'POST', '/login'), { userId: 'ada' });
  return session.getAllSessionTokensDangerously();
}

/** Exchanges a refresh token. @returns the new tokens; empty texts where it was refused */
async function refresh(sessions: Sessions, device: Device, refreshToken = '') {
  const response = await sessions.handle(requestOf(device, 'POST', '/auth/session/refresh', refreshToken));
  const header = (name: string): string => response?.headers.find(([each]) => each === name)?.[1] ?? '';
  return { accessToken: header('st-access-token'), refreshToken: header('st-refresh-token') };
}

/**
 * The morning before the walk: Ada is signed in on her phone and her laptop. A thief has copied a refresh token of the laptop and comes
 * with it after the laptop has used the next one; then he signs in with the password, which he also has.
 *
 * @returns the thief's access token
 */
async function morning(sessions: Sessions, clock: TestClock): Promise<string> {
  const [phone, laptop] = [
    { ip: HOME, userAgent: AGENTS.phone },
    { ip: HOME, userAgent: AGENTS.laptop },
  ];
  const thief = { ip: ABROAD, userAgent: AGENTS.thief };
  await signIn(sessions, phone);
  clock.advanceSeconds(1800);
  const { refreshToken: copied } = await signIn(sessions, laptop);
  clock.advanceSeconds(3600);
  const next = await refresh(sessions, laptop, copied);
  await sessions.verify(requestOf(laptop, 'GET', '/me', next.accessToken));
  clock.advanceSeconds(600);
  await refresh(sessions, thief, copied);
  clock.advanceSeconds(120);
  const { accessToken } = await signIn(sessions, thief);
  clock.advanceSeconds(480);
  return accessToken;
}

/** Serves `GET /me`. */
async function serve(sessions: Sessions): Promise<Server> {
  const server = createServer((req, res) => {
    void (async () => {
      try {
        res.end((await sessions.verify({ req, res })).getUserId());
      } catch (error) {
        if (!(await sessions.respond(error, { req, res }))) res.writeHead(500).end();
      }
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

/** Texts that differ from run to run: session handles, and digests of tokens. */
const CHANGING =
  /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<=\b(?:token|presented|current): )[\w-]{12}\b/g;

/** The changing texts of the guide, and those that stand in their places in this run. */
class Places {
  private readonly inGuide: string[] = [];
  private readonly inRun: string[] = [];

  toRun(command: string): string {
    return command.replaceAll(CHANGING, (text) => this.inRun[this.inGuide.indexOf(text)] ?? text);
  }

  /** Both texts with the places in order of their first appearance. */
  compared(guide: string, run: string): [guide: string, run: string] {
    return [numbered(guide, this.inGuide), numbered(run, this.inRun)];
  }
}

function numbered(text: string, known: string[]): string {
  return text.replaceAll(CHANGING, (found) => {
    if (!known.includes(found)) known.push(found);
    return `#${known.indexOf(found)}`.padEnd(found.length, '#');
  });
}

/** Runs a command. @returns output, questions and the answers of the user, in their order */
async function transcript(
  command: string,
  { store, token, clock }: { store: string; token: string; clock: TestClock },
) {
  const [line = '', input] = command.trim().split(' < ');
  const argv = [...line.matchAll(/"([^"]*)"|(\S+)/g)]
    .map(([, quoted, plain]) => quoted ?? plain ?? '')
    .slice(2);
  let shown = '';
  const write = (text: string): void => void (shown += text);
  await shell({
    stdout: write,
    stderr: write,
    clock,
    env: { NEST_SESSIONS_STORE: store },
    account: 'grace',
    readInput: input === 'token.txt' ? async () => `${token}\n` : undefined,
    ask: async (question) => {
      write(`${question}y\n`);
      return 'y';
    },
  })(...argv);
  return shown;
}

const CURL = `for port in 3001 3002 3003; do curl -so /dev/null -w '%{http_code}\\n' -H "authorization: Bearer $(cat token.txt)" http://localhost:$port/me; done\n`;

/** An instance learns of an end within its interval of 50 ms, and a busy machine is slow. */
const LONGEST_WAIT_MS = 30_000;

/** Asks each instance until it responds as the guide says, or too long. @returns the last responses */
async function statuses(servers: readonly Server[], token: string, expected: string): Promise<string> {
  const headers = { authorization: `Bearer ${token}` };
  const wanted = expected.trim().split('\n').map(Number);
  const untilMs = Date.now() + LONGEST_WAIT_MS;
  const asked = servers.map(async (server, index) => {
    const { port } = server.address() as AddressInfo;
    for (;;) {
      const { status } = await fetch(`http://127.0.0.1:${port}/me`, { headers });
      if (status === wanted[index] || Date.now() > untilMs) return status;
    }
  });
  return `${(await Promise.all(asked)).join('\n')}\n`;
}

/** The commands of the walk with their outputs. */
function walkOfGuide(): { command: string; output: string }[] {
  const blocks = codeBlocks(GUIDE);
  return blocks.flatMap(({ remark, code }, index) =>
    remark === 'walk' ? [{ command: code, output: blocks[index + 1]?.code ?? '' }] : [],
  );
}

/** Returns the lines of an output. Sessions that end together are recorded in no particular order, so lines of one time are sorted. */
function ordered(command: string, output: string): string[] {
  const lines = output.split('\n');
  if (!command.includes('--kind ended')) return lines;
  const place = (line: string): number => lines.findIndex((each) => each.slice(0, 20) === line.slice(0, 20)); // the time
  return lines.toSorted((a, b) => place(a) - place(b) || a.localeCompare(b));
}

/** @returns the number of commands that were run */
async function walk(store: string, newStore: () => SessionStore): Promise<number> {
  const clock = new TestClock(START_MS);
  const first = await shopOn(newStore(), clock, 50);
  const instances = [first, await shopOn(newStore(), clock, 50), await shopOn(newStore(), clock, 50)];
  const servers = await Promise.all(instances.map(serve));
  try {
    const token = await morning(first, clock);
    const places = new Places();
    const steps = walkOfGuide();
    for (const { command, output } of steps) {
      const shown =
        command === CURL
          ? await statuses(servers, token, output)
          : await transcript(places.toRun(command), { store, token, clock });
      const [inGuide, inRun] = places.compared(output, shown);
      expect(ordered(command, inRun)).toEqual(ordered(command, inGuide));
      clock.advanceSeconds(60);
    }
    return steps.length;
  } finally {
    for (const server of servers) await new Promise((resolve) => server.close(resolve));
    for (const instance of instances) await instance.close();
  }
}

const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-walk-'));
const postgres = await startPostgres();
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await postgres.stop();
});

describe('the guide to the command line', () => {
  it('shows each command with what it is for', () => {
    const [table = ''] = codeBlocks(GUIDE)
      .filter(({ remark }) => remark === 'commands')
      .map(({ code }) => code);
    const lines = COMMANDS.map(
      ({ name, argument, summary }) =>
        `npx nest-sessions ${[name, argument].filter(Boolean).join(' ')}\n    ${summary}\n`,
    );
    expect(table).toBe(lines.join(''));
  });

  it('walks through what it shows, on a SQLite file', async () => {
    const file = join(folder, 'walk.db');
    expect(await walk(`sqlite:${file}`, () => sqliteStore(file))).toBe(9);
  });
});

postgres.describe('the guide to the command line, on PostgreSQL', () => {
  it('walks through what it shows', async () => {
    const url = await postgres.freshDatabase();
    const pool = postgres.pool({ connectionString: url });
    expect(await walk(url, () => postgresStore(pool))).toBe(9);
  });
});
