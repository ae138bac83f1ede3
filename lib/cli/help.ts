import type { Command, OptionRows } from './command.js';

/** The options of every command that works with sessions. */
export const PLACE_OPTIONS: OptionRows = {
  config: {
    value: '<file>',
    text: 'a module that exports the options of SessionModule (or of\nembeddedCore) by default: .js, .mjs, .ts',
  },
  store: {
    value: '<address>',
    text: 'postgres://…, redis://… or sqlite:<file>; also from\nNEST_SESSIONS_STORE, which keeps a password off the command line',
  },
  core: {
    value: '<address>',
    text: 'a core over HTTP; its API key is in NEST_SESSIONS_API_KEY',
  },
  schema: { value: '<name>', text: 'with --store: the schema of the tables' },
  'table-prefix': { value: '<text>', text: 'with --store: the option tablePrefix of the application' },
  'key-prefix': { value: '<text>', text: 'with --store: the option keyPrefix of redisStore' },
};

export const COMMON_OPTIONS: OptionRows = {
  json: { text: 'one document of JSON instead of text' },
  help: { text: 'this text' },
};

const EXIT_CODES_TEXT =
  'Exit codes: 0 done, 1 nothing found, or refused, 2 wrong usage, 3 store or core\nnot available, or another failure. NO_COLOR switches colours off.';

/** The columns at which the texts of options and of commands begin. */
const [OF_OPTIONS, OF_COMMANDS] = [24, 36];

export function commandHelp(command: Command): string {
  const argument = command.argument === undefined ? '' : ` ${command.argument}`;
  const own = Object.keys(command.options).length > 0 ? `\n${optionsText(command.options)}` : '';
  return `Usage: npx nest-sessions ${command.name}${argument} [options]

${command.summary}
${command.details === undefined ? '' : `\n${command.details}\n`}${own}
The place of the sessions, one of the first three:
${optionsText(PLACE_OPTIONS)}
${optionsText(COMMON_OPTIONS)}
${EXIT_CODES_TEXT}
`;
}

export function overview(commands: readonly Command[]): string {
  const doctor = {
    name: 'doctor',
    argument: '<address>',
    summary: 'Examines a running API as a browser would use it.',
  };
  const lines = [...commands, doctor].map(({ name, argument = '', summary }) =>
    entry(`${name} ${argument}`.trim(), summary, OF_COMMANDS),
  );
  return `Usage: npx nest-sessions <command> [options]

${lines.join('')}
npx nest-sessions <command> --help explains each. The place of the sessions:
${optionsText(PLACE_OPTIONS)}
${EXIT_CODES_TEXT}
`;
}

function optionsText(rows: OptionRows): string {
  return Object.entries(rows)
    .map(([name, { value, text }]) =>
      entry(`--${name}${value === undefined ? '' : ` ${value}`}`, text, OF_OPTIONS),
    )
    .join('');
}

/** Returns a name and its text from a column on: on the next line if the name is too long. */
function entry(name: string, text: string, column: number): string {
  const margin = ' '.repeat(column);
  const head = name.length + 4 > column ? `  ${name}\n${margin}` : `  ${name}`.padEnd(column);
  return `${head}${text.replaceAll('\n', `\n${margin}`)}\n`;
}
