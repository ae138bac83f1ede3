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

export const EXIT_CODES_TEXT =
  'Exit codes: 0 done, 1 nothing found, or refused, 2 wrong usage, 3 store or core\nnot available, or another failure. NO_COLOR switches colours off.';

/** The column at which the texts of options begin. */
const INDENT = 24;

export function commandHelp(command: Command): string {
  const argument = command.argument === undefined ? '' : ` ${command.argument}`;
  const own = Object.keys(command.options).length > 0 ? `\n${optionsText(command.options)}` : '';
  return `Usage: npx nest-sessions ${command.name}${argument} [options]

${command.summary}
${command.details === undefined ? '' : `\n${command.details}\n`}${own}
Where the sessions are, one of the first three:
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
  const lines = [...commands, doctor].map(({ name, argument = '', summary }) => {
    const head = `  ${`${name} ${argument}`.trim()}`;
    return head.length + 2 > 36 ? `${head}\n${' '.repeat(36)}${summary}` : `${head.padEnd(36)}${summary}`;
  });
  return `Usage: npx nest-sessions <command> [options]

${lines.join('\n')}

npx nest-sessions <command> --help explains each. Where the sessions are:
${optionsText(PLACE_OPTIONS)}
${EXIT_CODES_TEXT}
`;
}

function optionsText(rows: OptionRows): string {
  return Object.entries(rows)
    .map(([name, { value, text }]) => {
      const head = `  --${name}${value === undefined ? '' : ` ${value}`}`;
      const lines = text.split('\n').join(`\n${' '.repeat(INDENT)}`);
      return head.length + 2 > INDENT
        ? `${head}\n${' '.repeat(INDENT)}${lines}\n`
        : `${head.padEnd(INDENT)}${lines}\n`;
    })
    .join('');
}
