import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { parseJsonObject, readMember } from '../util/json.js';
import { diagnose, type DiagnoseOptions, type Diagnosis } from './diagnose.js';
import { countLevel, formatDiagnosis } from './report.js';

/** The parts of the process that the command uses. */
export interface CommandIo {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly isTerminal: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The exit codes: no error found, errors found, API not examined. */
export const EXIT_CODES = { good: 0, errorsFound: 1, notExamined: 2 } as const;

const HELP = `Usage: npx nest-sessions doctor <address> [options]

Examines a running API as a browser would use it: reports problems with its
domains, CORS, cookies and clocks, and how to fix them.

  <address>            where the session routes are, with their base path:
                       https://api.example.com/auth

  --website <origin>   the website that calls it, https://example.com
                       (default: the origin of the API)
  --sign-in <request>  a request that signs in: 'POST /login {"name":"Ada"}'.
                       The session is refreshed, then ended. @file reads the
                       request from a file, which keeps passwords out of the
                       history of your shell
  --guarded <request>  a route that needs a session, 'GET /me': sent without one
  --header <name: value>  sent with every request; may be repeated
  --timeout <seconds>  how long to wait for each response (default 10)
  --json               the findings as JSON
  --help               this text
  --version            the version of nest-sessions

Exit codes: 0 no errors, 1 errors found, 2 wrong usage or no response.
NO_COLOR switches colours off; they are used on a terminal only.
`;

/**
 * Runs the command `nest-sessions`.
 *
 * @param argv arguments after the name of the program
 * @returns one of {@link EXIT_CODES}
 */
export async function main(
  argv: readonly string[],
  io: CommandIo,
  examine: (options: DiagnoseOptions) => Promise<Diagnosis> = diagnose,
): Promise<number> {
  try {
    const { values, positionals } = parseArguments(argv);
    if (values.help === true) {
      io.stdout(HELP);
      return EXIT_CODES.good;
    }
    if (values.version === true) {
      io.stdout(`${await readVersion()}\n`);
      return EXIT_CODES.good;
    }
    const diagnosis = await examine(await toOptions(values, positionals));
    const colour = hasColours(io);
    io.stdout(
      values.json === true
        ? `${JSON.stringify(diagnosis, null, 2)}\n`
        : formatDiagnosis(diagnosis, { colour }),
    );
    return toExitCode(diagnosis);
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    io.stderr(`nest-sessions: ${cause.message}\nTry: npx nest-sessions doctor --help\n`);
    return EXIT_CODES.notExamined;
  }
}

/** Returns whether the output is a terminal that shows colours. */
export function hasColours({ isTerminal, env }: CommandIo): boolean {
  return isTerminal && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
}

function toExitCode(diagnosis: Diagnosis): number {
  if (!diagnosis.isReachable) return EXIT_CODES.notExamined;
  return countLevel(diagnosis, 'error') > 0 ? EXIT_CODES.errorsFound : EXIT_CODES.good;
}

function parseArguments(argv: readonly string[]): ReturnType<typeof readArguments> {
  try {
    return readArguments(argv);
  } catch (cause) {
    const [message = ''] = (cause as Error).message.split('. '); // what follows suggests `--`
    throw new TypeError(message, { cause });
  }
}

function readArguments(argv: readonly string[]) {
  return parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      website: { type: 'string' },
      'sign-in': { type: 'string' },
      guarded: { type: 'string' },
      header: { type: 'string', multiple: true },
      timeout: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
      version: { type: 'boolean', short: 'v' },
    },
  });
}

async function toOptions(
  values: ReturnType<typeof readArguments>['values'],
  [command, api, ...rest]: readonly string[],
): Promise<DiagnoseOptions> {
  if (command === undefined) throw new TypeError('the command is missing: doctor <address>');
  if (command !== 'doctor') throw new TypeError('this command is unknown; there is doctor');
  if (api === undefined) throw new TypeError('the address of the API is missing');
  if (rest.length > 0) throw new TypeError(`one address is expected, ${rest.length + 1} were given`);
  const { website, timeout, guarded, header = [] } = values;
  const signIn = await readSignIn(values['sign-in']);
  return {
    api,
    ...(website === undefined ? {} : { website }),
    ...(signIn === undefined ? {} : { signIn }),
    ...(guarded === undefined ? {} : { guarded }),
    headers: Object.fromEntries(header.map(readHeader)),
    ...(timeout === undefined ? {} : { timeoutMs: readTimeout(timeout) }),
  };
}

async function readSignIn(text: string | undefined): Promise<string | undefined> {
  if (!text?.startsWith('@')) return text;
  try {
    return await readFile(text.slice(1), 'utf8');
  } catch (cause) {
    throw new TypeError(`the file of --sign-in cannot be read: ${text.slice(1)}`, { cause });
  }
}

function readHeader(text: string): [string, string] {
  const match = /^([!#$%&'*+\-.^_`|~\w]+)\s*:\s*([ -~]*)$/.exec(text);
  if (match === null) throw new TypeError('--header is expected as name: value');
  return [match[1]?.toLowerCase() ?? '', match[2]?.trim() ?? ''];
}

function readTimeout(text: string): number {
  const seconds = Number(text);
  if (!(seconds > 0)) throw new TypeError('--timeout is expected as a number of seconds above 0');
  return seconds * 1000;
}

/** Reads the version of the package, whose description is two folders above the compiled file. */
export async function readVersion(): Promise<string> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  return String(readMember(parseJsonObject(text), 'version'));
}
