import { parseArgs } from 'node:util';
import { main as doctor, readVersion } from '../doctor/main.js';
import { CoreBadInputError, CoreError } from '../errors.js';
import { SessionConfigError } from '../options/config-error.js';
import { errorReason } from '../events/printable.js';
import { NoRevocationFeedError } from '../feed/revocation-feed.js';
import { closestName } from '../options/unknown-options.js';
import { StoreSetupError } from '../stores/session-store.js';
import { optionText, type Command, type CommandCall, type OptionRows } from './command.js';
import { EXIT, RefusedError, UsageError, type CliIo } from './io.js';
import { COMMANDS } from './commands/all-commands.js';
import { COMMON_OPTIONS, commandHelp, overview, PLACE_OPTIONS } from './help.js';
import { openSessions, type OpenedSessions, type SessionPlace } from './open-sessions.js';
import { safeText } from './output.js';

/**
 * Runs the command `nest-sessions`.
 *
 * @param argv arguments after the name of the program
 * @returns an exit code: one of {@link EXIT}, or of the doctor
 */
export async function main(argv: readonly string[], io: CliIo): Promise<number> {
  const [first, second] = argv;
  if (first === 'doctor') return doctor(argv, io);
  if (first === '--help' || first === '-h' || first === 'help') {
    io.stdout(overview(COMMANDS));
    return EXIT.done;
  }
  if (first === '--version' || first === '-v') {
    io.stdout(`${await readVersion()}\n`);
    return EXIT.done;
  }
  const command = COMMANDS.find(({ name }) => name === first || name === `${first} ${second}`);
  if (command === undefined) return refuseUnknown(first, second, io);
  return runCommand(command, argv.slice(command.name.split(' ').length), io);
}

const COMMAND_NAME = /^[\w-]{1,40}$/;

function refuseUnknown(first: string | undefined, second: string | undefined, io: CliIo): number {
  if (first === undefined) {
    io.stderr(overview(COMMANDS));
    return EXIT.usage;
  }
  const names = [...COMMANDS.map(({ name }) => name), 'doctor'];
  const ofGroup = names.filter((name) => name.startsWith(`${first} `));
  const isGroup = ofGroup.length > 0 && second === undefined;
  const words = ofGroup.length > 0 && second !== undefined ? [first, second] : [first];
  const typed = words.join(' ');
  const closest = isGroup
    ? undefined
    : (closestName(typed, names) ?? closestName(`${first} ${second ?? ''}`, names));
  const known = ofGroup.length > 0 ? ofGroup : names;
  const advice = closest === undefined ? `there are ${known.join(', ')}` : `did you mean ${closest}?`;
  // Another text may be the address of a store, with its password.
  const shown = words.every((word) => COMMAND_NAME.test(word)) ? typed : 'this';
  const seen = isGroup ? `${first} needs a second word` : `${shown} is no command`;
  io.stderr(`nest-sessions: ${seen}; ${advice}\nTry: npx nest-sessions --help\n`);
  return EXIT.usage;
}

async function runCommand(command: Command, argv: readonly string[], terminal: CliIo): Promise<number> {
  const secrets = environmentSecrets(terminal.env);
  const io: CliIo = {
    ...terminal,
    stderr: (text) => terminal.stderr(masked(text, secrets)),
  };
  try {
    const { values, positionals } = readArguments(command, argv);
    if (values['help'] === true) {
      io.stdout(commandHelp(command));
      return EXIT.done;
    }
    checkPositionals(command, positionals);
    return await runOpened(command, { values, positionals, io, secrets });
  } catch (error) {
    const [code, message] = errorOutcome(error);
    const help = code === EXIT.usage ? `Try: npx nest-sessions ${command.name} --help\n` : '';
    io.stderr(`nest-sessions: ${message}\n${help}`);
    return code;
  }
}

interface Typed extends Pick<CommandCall, 'values' | 'positionals' | 'io'> {
  /** Texts that no message repeats; more come while the command runs. */
  readonly secrets: string[];
}

async function runOpened(command: Command, { secrets, ...typed }: Typed): Promise<number> {
  let opened: OpenedSessions | undefined;
  const call: CommandCall = {
    ...typed,
    hide: (secret) => void secrets.push(secret),
    open: async (needs) => {
      const place = readPlace(call);
      secrets.push(...addressSecrets(place.store), ...addressSecrets(place.core));
      return (opened = await openSessions(place, typed.io, needs));
    },
  };
  try {
    return await command.run(call);
  } finally {
    await opened?.close();
  }
}

/** The environment names a store only where the command line names no place. */
function readPlace(call: CommandCall): SessionPlace {
  const { env } = call.io;
  const [config, core] = [optionText(call, 'config'), optionText(call, 'core')];
  const isNamed = config !== undefined || core !== undefined;
  return {
    config,
    core,
    store: optionText(call, 'store') ?? (isNamed ? undefined : env['NEST_SESSIONS_STORE']),
    apiKey: env['NEST_SESSIONS_API_KEY'],
    schema: optionText(call, 'schema'),
    tablePrefix: optionText(call, 'table-prefix'),
    keyPrefix: optionText(call, 'key-prefix'),
  };
}

function readArguments(command: Command, argv: readonly string[]) {
  const rows: OptionRows = { ...command.options, ...PLACE_OPTIONS, ...COMMON_OPTIONS };
  const options = Object.fromEntries(
    Object.entries(rows).map(([name, { value, isMultiple = false }]) => [
      name,
      {
        type: value === undefined ? ('boolean' as const) : ('string' as const),
        multiple: isMultiple,
        ...(name === 'help' ? { short: 'h' } : {}),
      },
    ]),
  );
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true });
  } catch (cause) {
    const { message, code } = cause as { message: string; code?: unknown };
    const [, unknown] = /^Unknown option '--([^']*)'/.exec(message) ?? [];
    const closest =
      code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION' && unknown !== undefined
        ? closestName(unknown, Object.keys(rows))
        : undefined;
    const [first = ''] = message.split('. '); // what follows suggests `--`
    throw new UsageError(`${safeText(first)}${closest === undefined ? '' : `; did you mean --${closest}?`}`, {
      cause,
    });
  }
}

function checkPositionals(
  { argument = '', argumentCount: [least, most] = [0, 0] }: Command,
  given: readonly string[],
): void {
  if (given.length >= least && given.length <= most) return;
  const expected = most === 0 ? 'none' : argument;
  throw new UsageError(
    `${given.length === 0 ? 'an argument is missing' : `${given.length} arguments were given`}; expected: ${expected}`,
  );
}

/** Returns the exit code of an error, and its message for the terminal. */
function errorOutcome(error: unknown): [code: number, message: string] {
  if (error instanceof UsageError || error instanceof SessionConfigError)
    return [EXIT.usage, safeLines(error.message)];
  const setup = findSetupError(error);
  if (setup !== undefined) return [EXIT.unavailable, errorReason(setup)];
  if (
    error instanceof RefusedError ||
    error instanceof NoRevocationFeedError ||
    error instanceof CoreBadInputError
  )
    return [EXIT.nothing, safeLines(error.message)];
  if (error instanceof CoreError) return [EXIT.unavailable, errorReason(error)];
  if (error instanceof TypeError) return [EXIT.usage, safeLines(error.message)];
  return [EXIT.unavailable, errorReason(error)];
}

/** The user and the password in an address, such as an error of a driver may quote. */
const CREDENTIALS = /(:\/\/)[^\s/]*@/g;

function masked(text: string, secrets: readonly string[]): string {
  const shown = secrets.reduce((rest, secret) => rest.replaceAll(secret, '…'), text);
  return shown.replaceAll(CREDENTIALS, '$1…@');
}

function findSetupError(error: unknown): StoreSetupError | undefined {
  for (let each = error; each instanceof Error; each = each.cause)
    if (each instanceof StoreSetupError) return each;
  return undefined;
}

/** The problems of a configuration are listed line by line. */
function safeLines(message: string): string {
  return message
    .split('\n')
    .map((line) => errorReason(line))
    .join('\n');
}

function environmentSecrets(env: CliIo['env']): string[] {
  const { NEST_SESSIONS_API_KEY: apiKey, NEST_SESSIONS_STORE: store } = env;
  return [...addressSecrets(store), ...(apiKey ? [apiKey] : [])];
}

/** The parts of an address that no message may repeat: the password, as it is written and as it is meant. */
function addressSecrets(address: string | undefined): string[] {
  if (address === undefined || !URL.canParse(address)) return [];
  const { password } = new URL(address);
  if (password === '') return [];
  return [...new Set([password, decoded(password)])];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
